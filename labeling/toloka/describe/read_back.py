"""Reading back: a pool is opened only if the platform's pool matches the described pool."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any

from budget.errors import MarketContradiction
from budget.money import Money

_CLOSE = timedelta(seconds=1)


def check_pool(name: str, wanted: Any, got: Any) -> None:
    """Compare price, mixer, acceptance, expiry, filter and rules with the description.

    Args:
        name: the platform's name.
        wanted: the described pool.
        got: the platform's pool.

    Raises:
        MarketContradiction: a difference that costs money or quality.
    """
    plain_wanted, plain_got = wanted.unstructure(), got.unstructure()
    pairs = {
        "reward": (_reward(wanted), _reward(got)),
        "mixer": (_mixer(wanted), _mixer(got)),
        "automatic acceptance": (wanted.auto_accept_solutions, got.auto_accept_solutions),
        "filter": _subset(_leaves(plain_wanted.get("filter")), _leaves(plain_got.get("filter"))),
        "quality rules": (_rules(wanted), _rules(got)),
        "expiry": (True, _expires(wanted, got)),
        "dynamic overlap": (None, got.dynamic_overlap_config),
        "dynamic pricing": (None, got.dynamic_pricing_config),
    }
    for what, (ours, theirs) in pairs.items():
        if ours != theirs:
            raise MarketContradiction(
                f"{name}: pool {got.id} has another {what} than it was given ({theirs} instead of "
                f"{ours}); it was not opened"
            )


def check_tasks(
    name: str,
    pool_id: str,
    tasks: Mapping[str, Any],
    overlap: Mapping[str, int],
    controls: Collection[str],
) -> None:
    """Compare the tasks of a pool with the order.

    Args:
        name: the platform's name.
        pool_id: id of the pool.
        tasks: all tasks of the pool, by id.
        overlap: answers in all to each real task.
        controls: ids of the pool's control tasks.

    Raises:
        MarketContradiction: a task is missing, is surplus, or has another overlap.
    """
    real = {key: task for key, task in tasks.items() if not task.known_solutions}
    held = {key for key, task in tasks.items() if task.known_solutions and task.infinite_overlap}
    problem = ""
    if held != set(controls):
        problem = f"{len(held)} control tasks instead of {len(controls)}"
    elif real.keys() != overlap.keys():
        problem = f"{len(real)} tasks instead of {len(overlap)}"
    else:
        wrong = [k for k, t in real.items() if t.infinite_overlap or t.overlap != overlap[k]]
        if wrong:
            problem = f"another overlap on {len(wrong)} tasks, such as {wrong[0]}"
    if problem:
        raise MarketContradiction(f"{name}: pool {pool_id} has {problem}; it was not opened")


def _reward(pool: Any) -> str:
    return str(Money.parse(str(pool.reward_per_assignment), "reward"))


def _mixer(pool: Any) -> tuple[int, int, int]:
    mixer = pool.mixer_config
    counts = (mixer.real_tasks_count, mixer.golden_tasks_count, mixer.training_tasks_count)
    return (int(counts[0] or 0), int(counts[1] or 0), int(counts[2] or 0))


def _rules(pool: Any) -> list[str]:
    """Collector and action of each rule, without the platform's ids."""
    return sorted(
        f"{config.collector_config.unstructure()['type']} -> {rule.action.unstructure()['type']}"
        for config in pool.quality_control.configs
        for rule in config.rules
    )


def _expires(wanted: Any, got: Any) -> bool:
    return got.will_expire is not None and abs(got.will_expire - wanted.will_expire) <= _CLOSE


def _subset(wanted: set[str], got: set[str]) -> tuple[set[str], set[str]]:
    """The wanted conditions, and those of them that came back; the platform may wrap a filter."""
    return wanted, wanted & got


def _leaves(condition: Any) -> set[str]:
    return set(_walk(condition or {}))


def _walk(condition: Mapping[str, Any]) -> Iterator[str]:
    for inner in [*condition.get("and", ()), *condition.get("or", ())]:
        yield from _walk(inner)
    if "key" in condition:
        value = condition.get("value")
        value = float(value) if isinstance(value, (int, float)) else value
        yield f"{condition['key']} {condition['operator']} {value}"
