"""A market that sells a study's stored answers once more, to compute its answer from them anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from budget.errors import NotBought
from budget.tariff import Tariff
from hpo.market.market import Market
from hpo.settings.config import StudyConfig
from hpo.settings.run_folder import look_into_store
from labeling.source import LabelSource, Pool
from labeling.store import Store
from labeling.store.stored_pages import stored_page
from labeling.types import Condition, Order, Page


class StoredAnswers:
    """Sells what a study has bought, order by order, exactly as it was delivered.

    Args:
        folder: the study's folder; nothing in it is changed.
        config: the study's configuration.
        market: the study's own market, which says what things cost and how long they take.
    """

    def __init__(self, folder: Path, config: StudyConfig, market: LabelSource) -> None:
        self._engine = look_into_store(folder, config)
        self._store = Store(self._engine, config.study)
        self._study = config.study
        self._market = market

    @property
    def tariff(self) -> Tariff:
        """The market's tariff."""
        return self._market.tariff

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        """Expected minutes for a number of assignments in a condition's pool."""
        return self._market.expected_minutes(condition, assignments)

    def place(self, order: Order) -> Pool:
        """The order's pool.

        Raises:
            NotBought: the study has placed no such order, or another one under the same key.
        """
        record = self._store.record(order.key)
        if record is None:
            raise NotBought(
                f"an order of {order.answers_wanted} answers at {order.condition.price} a task "
                "follows from the answers before it, and is not among the stored orders"
            )
        if record.order != order:
            raise NotBought(
                f"order {order.key[:12]}: {record.order.answers_wanted} answers and at most "
                f"{record.order.limit} assignments are stored, {order.answers_wanted} and "
                f"{order.limit} follow from the answers before it"
            )
        return Pool(order.key, order)

    def collect(self, pool: Pool) -> Iterator[Page]:
        """All that came for the order, as one page.

        Raises:
            NotBought: the order has not ended.
        """
        page = stored_page(self._engine, self._study, pool.order)
        if page is None or page.end is None:
            raise NotBought(f"order {pool.order.key[:12]} has not ended")
        yield page

    def close(self) -> None:
        """Let go of the databases."""
        self._engine.dispose()
        self._market.close()


def selling_stored(folder: Path, config: StudyConfig, market: Market) -> Market:
    """A study's market with its stored answers for a source, and no pools.

    Args:
        folder: the study's folder.
        config: the study's configuration.
        market: its own market.
    """
    from dataclasses import replace

    source = StoredAnswers(folder, config, market.source)
    return replace(market, source=source, pooled=None)
