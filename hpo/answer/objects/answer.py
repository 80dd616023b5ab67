"""A study's answer as an object: the report, and its main parts by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from hpo.answer.objects.html import front_table, paragraphs
from hpo.answer.summary import summary_lines
from hpo.answer.summary import title as summary_title

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


class Front(list[dict[str, Any]]):
    """The plans that no other is expected to beat in accuracy and price, rows of a report.

    Args:
        report: a report.
    """

    def __init__(self, report: Mapping[str, Any]) -> None:
        super().__init__(report["front"])
        self._report = report

    def dataframe(self) -> pd.DataFrame:
        """A row a plan; needs pandas."""
        from hpo.answer.objects.frames import front_frame

        return front_frame(self)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw it, with all purchases and the recommended plan.

        Args:
            ax: where to; None for a new figure.
        """
        from hpo.answer.plot import draw_front, new_axes

        axes = new_axes() if ax is None else ax
        draw_front(self._report, axes)
        return axes

    def _repr_html_(self) -> str:
        best = self._report["recommended"]
        return front_table(self, best["plan"]["key"] if best else None)


class Answer(dict[str, Any]):
    """A report: a dictionary of every field (docs/report.md), with words for its main parts.

    A notebook shows the first block and the front.
    """

    @property
    def title(self) -> str:
        """The study's name, and whether its money or its classes were real."""
        return summary_title(self)

    @property
    def summary(self) -> str:
        """The answer in at most six lines."""
        return "\n".join(summary_lines(self))

    @property
    def recommended(self) -> dict[str, Any] | None:
        """The plan to buy, with what it costs and gives; None without one."""
        best: dict[str, Any] | None = self["recommended"]
        return best

    @property
    def front(self) -> Front:
        """Plans that no other is expected to beat."""
        return Front(self)

    @property
    def forecast(self) -> Sequence[Mapping[str, Any]]:
        """The best plan for more money, by amount; empty where nothing can be said."""
        told = (self["advice"] or {}).get("forecast") or {}
        return tuple(told.get("at", ()))

    def to_dict(self) -> dict[str, Any]:
        """The report as plain dictionaries and lists, a copy."""
        return deepcopy(dict(self))

    def __repr__(self) -> str:
        return f"{self.title}\n{self.summary}"

    def _repr_html_(self) -> str:
        rest = self.front._repr_html_() if self["front"] else ""
        return paragraphs(self.title, summary_lines(self)) + rest
