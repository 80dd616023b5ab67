"""A market of your own: colleagues answer, and each answer costs what the plan says."""

from collections.abc import Iterator

from budget.tariff import Tariff
from hpo import Answer, Market, MarketKind, Opening, Study, add_market
from labeling.source import Pool
from labeling.types import Assignment, Condition, Order, OrderEnd, Page


class Colleagues:
    """Answers an order at once; a colleague answers each image of a tranche once."""

    def __init__(self, opening: Opening) -> None:
        self.tariff: Tariff = opening.config.tariff
        self.label = opening.data.truth.tolist()  # ask people here

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        return 0.5 * assignments

    def place(self, order: Order) -> Pool:
        return Pool(f"colleagues-{order.key}", order)  # the same order, the same pool

    def collect(self, pool: Pool) -> Iterator[Page]:
        order, made = pool.order, list[Assignment]()
        size, reward = order.condition.real_per_suite, order.condition.reward
        for who in range(max(count for _, count in order.wanted)):
            rows = [row for row, count in order.wanted if count > who]
            for first in range(0, len(rows), size):
                page = tuple(rows[first : first + size])
                labels, at = tuple(self.label[row] for row in page), 30.0 * (len(made) + 1)
                key, name = f"{order.key}-{len(made)}", f"colleague-{order.tranche}-{who}"
                is_control = (False,) * len(page)
                made.append(Assignment(key, name, page, labels, is_control, at, 30.0, reward))
        people = len({one.annotator for one in made})
        end = OrderEnd("complete", 0.5 * len(made), 0, people, people, 0)
        yield Page(tuple(made), (), end)

    def close(self) -> None:
        """Nothing is open."""


def open_market(opening: Opening) -> Market:
    """What the row below names."""
    return opening.market("colleagues", Colleagues(opening), ["Colleagues answered."], "colleagues")


add_market(MarketKind("colleagues", __name__, "our colleagues", "answers of our colleagues"))


def main(runs: str = "runs") -> Answer:
    """A study in which colleagues answer."""
    settings = {"controls": "0", "exam": "off", "overlap": "1,2", "price": "0.002"}
    study = Study(budget="3", study="colleagues", market="colleagues", runs=runs, **settings)
    answer = study.run()
    study.close()
    return answer


if __name__ == "__main__":
    print(main().summary)
