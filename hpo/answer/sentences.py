"""The advice in sentences, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from budget.money import Money

if TYPE_CHECKING:
    from hpo.settings.config import StudyConfig


def market_line(config: StudyConfig) -> str:
    """Where answers come from, and whether they cost real money."""
    return config.market_kind.sentence.format(
        scenario=config.scenario,
        file=config.market_file,
        environment=config.toloka_environment.upper(),
    )


def advice_lines(advice: Mapping[str, Any]) -> list[str]:
    """The advice in a few sentences; none without any evaluated plan."""
    if not advice:
        return []
    said = []
    sure = advice["certainty"]
    said.append(
        f"Best at its cost with probability {sure['probability_best_at_its_cost']:.0%}; within a "
        f"point of the best with {sure['probability_within_1_point_of_best']:.0%}; "
        f"{len(sure['ties'])} other plan{'' if len(sure['ties']) == 1 else 's'} of the front "
        "cannot be told from it."
    )
    said.append(_matters(advice["matters"]))
    said += _importance(advice["importance"])
    rule = advice["rule_of_thumb"]
    if rule["gain_points"] is not None:
        low, high = rule["interval_95"]
        noise = "within noise of" if rule["within_noise"] else "not the same as"
        said.append(
            f"{rule['gain_points']:+.1f} points ({low:+.1f} to {high:+.1f}) against the rule of "
            f"thumb at its cost ({rule['at_its_cost']}): {noise} the rule of thumb."
        )
    said += _forecast_lines(advice["forecast"])
    pool = advice["whole_pool"]
    low, high = pool["interval_95"]
    said.append(
        f"For all {pool['images']} images: {Money(pool['price_tag']['micros']).cents()}, "
        f"{100 * pool['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        f"{', beyond what was tried' if pool['beyond_what_was_tried'] else ''}."
    )
    said.append(_verdict_words(advice["verdict"]))
    return said


def confirmation_line(confirmation: Mapping[str, Any], tasks: int) -> str:
    """The confirmed accuracy in words."""
    low, high = confirmation["interval_95"]
    part = f"{confirmation['tasks']} of {tasks} tasks bought again for"
    paid = Money(confirmation["paid"]["micros"])
    return (
        f"confirmed {100 * confirmation['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f}): "
        f"{part} {paid} from annotators the search has not seen"
    )


def merged_line(merged: Mapping[str, Any]) -> str:
    """The accuracy of a model of all labels owned, in words."""
    low, high = merged["interval_95"]
    return (
        f"All {merged['answers']} answers owned, merged over {merged['conditions']} conditions, "
        f"give {100 * merged['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f}) today."
    )


def view_today_lines(today: Mapping[str, Any]) -> list[str]:
    """The accuracy of a model of the labels in a view, or of the recommended plan's, in words."""
    low, high = today["interval_95"]
    who = "the recommended plan's labels"
    if today["view"]:
        who = f"inside {today['view']['expression']} ({len(today['versions'])} versions)"
    said = [
        f"Today {today['labelled_images']} labels {who} give {100 * today['accuracy']:.1f} % "
        f"({100 * low:.1f} to {100 * high:.1f}) on {today['images']} {today['role']} images, which "
        "the search has seen."
    ]
    if today["test_view"]:
        inside = today["test_view"]
        said.append(f"{inside_words(inside)} of those images inside {inside['expression']}.")
    return said


def inside_words(scored: Mapping[str, Any]) -> str:
    """Accuracy on some images: "87.1 % (82.0 to 91.0) on 133"."""
    if scored["accuracy"] is None:
        return "accuracy is not known on the 0"
    low, high = scored["interval_95"]
    accuracy = f"{100 * scored['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
    return f"{accuracy} on the {scored['images']}"


def _matters(rows: Sequence[Mapping[str, Any]]) -> str:
    strong = [row for row in rows if row["matters"]]
    weak = [row["knob"] for row in rows if not row["matters"]]
    words = ", ".join(f"{row['knob']} ({row['points']:.1f} points)" for row in strong) or "nothing"
    rest = f"; no measurable effect: {', '.join(weak)}" if weak else ""
    flat = any(row["knob"] == "price" and row["points"] < 0.5 for row in rows)
    price = "; price bought time, not accuracy" if flat else ""
    return f"What matters around the recommended plan: {words}{rest}{price}."


def _importance(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    shares = ", ".join(f"{row['knob']} {row['share']:.0%}" for row in rows)
    return [f"Share of the variation between plans that each setting explains alone: {shares}."]


def _verdict_words(verdict: Mapping[str, Any]) -> str:
    if verdict["stop"]:
        return "Verdict: stop here; no larger plan inside the limits promises enough."
    return (
        f"Verdict: {verdict['plan']} for ${verdict['dollars']:.2f} more promises "
        f"{verdict['points']:+.1f} +- {verdict['error']:.1f} points."
    )


def _forecast_lines(ahead: Mapping[str, Any]) -> list[str]:
    said = [
        f"A plan for ${row['dollars']:.2f} would give {100 * row['accuracy']:.1f} % "
        f"({100 * row['interval_95'][0]:.1f} to {100 * row['interval_95'][1]:.1f})."
        for row in ahead["at"]
    ]
    if ahead["backtest_median_error_points"] is not None:
        said.append(
            f"Such forecasts one step ahead missed by {ahead['backtest_median_error_points']:.1f} "
            f"points (median of {ahead['backtest_forecasts']})."
        )
    return said


def plan_words(plan: Mapping[str, Any]) -> str:
    """A plan in words: "$0.002 a task, overlap 1, 1 control task per suite, 686 tasks, no exam"."""
    controls = plan["controls"]
    checks = f"{controls or 'no'} control task{'' if controls == 1 else 's'} per suite"
    price = plan["price_per_task"]["usd"]
    exam = "exam" if plan["exam"] else "no exam"
    overlap = plan.get("dynamic", plan["overlap"])
    return f"${price} a task, overlap {overlap}, {checks}, {plan['tasks']} tasks, {exam}"


def percent(value: float) -> str:
    """An accuracy as a percentage with one decimal."""
    return f"{100 * value:.1f} %"


def interval(bounds: list[float]) -> str:
    """A 95 % interval in percent."""
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}"


def cents(money: Mapping[str, Any]) -> str:
    """An amount rounded up to cents."""
    return Money(money["micros"]).cents()


def usd(money: Mapping[str, Any]) -> str:
    """An exact amount."""
    return str(Money(money["micros"]))
