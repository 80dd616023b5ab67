"""A report as a page: templates filled in, with everything that a report holds escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budget.files import write_whole
from hpo.answer.page.figures import front_chart
from hpo.answer.page.gathered import Gathered, gather
from hpo.answer.page.money import money_rows
from hpo.answer.page.parts import PARTS
from hpo.answer.sentences import cents
from hpo.answer.summary import summary_lines, title
from hpo.settings.glossary import GLOSSARY
from hpo.settings.stored_answer import PAGE

if TYPE_CHECKING:
    from jinja2 import Environment

    from hpo.trial.world import World


def write_page(report: Mapping[str, Any], world: World, folder: Path, images: bool = True) -> Path:
    """Write a study's page.

    Args:
        report: the study's report.
        world: the study's world.
        folder: the study's folder.
        images: whether the page shows small images.
    """
    path = folder / PAGE
    write_whole(path, render_page(report, gather(report, world, images)).encode())
    return path


def render_page(report: Mapping[str, Any], gathered: Gathered, is_live: bool = False) -> str:
    """The page of a report. The same report gives the same page.

    Args:
        report: the report.
        gathered: what it shows beside the report.
        is_live: whether the page asks its server for news.
    """
    made = [(part, part.make(report, gathered)) for part in PARTS]
    script = _resource("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _templates()
        .get_template("page.html")
        .render(
            title=title(report),
            study=report["study"],
            lines=summary_lines(report),
            question=report["question"],
            images=report["data"]["images"],
            cap=cents(report["money"]["cap"]),
            spent=cents(report["money"]["spent"]),
            front=front_chart(report),
            money=money_rows(report),
            parts=[(part, facts) for part, facts in made if facts is not None],
            is_live=is_live,
            style=_markup(_resource("style.css")),
            script=_markup(script),
            script_hash=digest,
        )
    )


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("hpo.answer.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    meanings = {name: term.meaning for term in GLOSSARY for name in (term.name, *term.also)}
    templates.globals["meaning"] = meanings.get
    templates.filters["place"] = lambda value: f"{value:.1f}"
    return templates


def _printable(value: Any) -> Any:
    """A value without letters that only machines read, such as those that steer a terminal."""
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    return "".join(each if each.isprintable() or each in "\t\n" else "\ufffd" for each in value)


def _markup(text: str) -> Any:
    """A text of this package that is put into the page as it stands."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - no user's text


@cache
def _resource(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")
