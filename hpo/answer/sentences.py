"""The answer in sentences, each made of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from budget.money import Money
from hpo.answer.plan_in_words import (
    counted,
    people_in_words,
    told_pay_in_words,
    told_plan_in_words,
)
from labeling.campaign.campaign import OBJECTIVE, score_name

if TYPE_CHECKING:
    from hpo.settings.config import StudyConfig


UNFINISHED = "not finished"
"""In a report, in place of the reason why a phase ended."""


def market_line(config: StudyConfig) -> str:
    """Where answers come from, and whether they cost real money."""
    return config.market_kind.sentence.format(
        scenario=config.scenario,
        file=config.market_file,
        environment=config.toloka_environment.upper(),
    )


# --- words for numbers ---


def percent(value: float) -> str:
    """An accuracy as a percentage with one decimal."""
    return f"{100 * value:.1f} %"


def share(value: float) -> str:
    """A share or probability in whole percent."""
    return f"{100 * value:.0f} %"


def interval(bounds: Sequence[float]) -> str:
    """A 95 % interval in percent."""
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}"


def with_interval(row: Mapping[str, Any]) -> str:
    """An accuracy with its 95 % interval: "91.0 % (89.0 to 93.0)"."""
    return f"{percent(row['accuracy'])} ({interval(row['interval_95'])})"


def expected(report: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """What a row's model gives, by the name of the question's score."""
    kind = report["question"]["kind"]
    if kind == OBJECTIVE:
        return with_interval(row)
    return f"{percent(row['accuracy'])} {score_name(kind)} ({interval(row['interval_95'])})"


def points_per_dollar(gain: float, dollars: Money) -> float:
    """The unit of every gain: accuracy points per further dollar.

    Args:
        gain: in accuracy.
        dollars: what it costs; a cent or less counts as a cent.
    """
    return 100 * gain / max(dollars.dollars, 0.01)


def points(value: float) -> str:
    """Accuracy points without a sign: "2.4"; never "-0.0"."""
    return f"{round(value, 1) + 0.0:.1f}"


def signed(value: float) -> str:
    """Accuracy points with a sign: "+2.4", "-0.3", and "0.0"."""
    rounded = round(value, 1) + 0.0
    return f"{rounded:+.1f}" if rounded else "0.0"


def points_words(gain: Mapping[str, Any]) -> str:
    """A gain in words: "2.1 points (0.8 to 3.4)"."""
    low, high = gain["interval_95"]
    return f"{counted_points(gain['points'])} ({points(low)} to {points(high)})"


def counted_points(value: float) -> str:
    """Accuracy points with their noun: "2.4 points", "1 point"."""
    told = points(value).removesuffix(".0")
    return f"{told} point{'' if told == '1' else 's'}"


def cents(money: Mapping[str, Any]) -> str:
    """An amount rounded up to cents."""
    return Money.from_json(money).cents()


def printed_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Points between two rows' accuracies as they are printed, so that a reader's sum is right."""
    first, second = (100 * float(row["accuracy"]) for row in (one, other))
    return round(first, 1) - round(second, 1)


def usd(money: Mapping[str, Any]) -> str:
    """An exact amount."""
    return str(Money.from_json(money))


# --- sentences ---

MADE_OF = {
    "off": "people's alone",
    "vote": "people's, with the machine as one more voter",
    "below": "the machine's, and people's where it is unsure",
    "all": "the machine's alone",
}
"""Whose the labels are, by the way in which a machine is used."""


def advice_lines(report: Mapping[str, Any]) -> list[str]:
    """The advice in a few sentences; none without any recommended plan."""
    advice = report["advice"]
    if not advice:
        return []
    if report["delivery"]:  # what to buy next is told with the labels that were delivered
        return [_matters(advice["matters"]), *_importance(advice["importance"])]
    return [
        _certainty(report),
        _matters(advice["matters"]),
        *_importance(advice["importance"]),
        *_rule(report),
        *_forecasts(report),
        _verdict(advice["verdict"]),
    ]


def _certainty(report: Mapping[str, Any]) -> str:
    advice = report["advice"]
    sure, within = advice["certainty"], counted_points(advice["tolerance_points"])
    ties = len(sure["ties"])
    if len(report["front"]) == 1:
        return "The front is this plan alone: no evaluated plan is cheaper or better."
    told = "every other plan of the front can be told from it"
    if ties:
        told = f"{counted(ties, 'other plan')} of the front cannot be told from it"
    return (
        "The probability that no evaluated plan at up to its price is better is "
        f"{share(sure['probability_best_at_its_cost'])}; that none at any price is better by more "
        f"than {within}, {share(sure['probability_within_tolerance_of_best'])}; {told}."
    )


def _matters(rows: Sequence[Mapping[str, Any]]) -> str:
    strong = [row for row in rows if row["matters"]]  # tried or not: a dear level buys fewer tasks
    tried = [row["knob"] for row in rows if row.get("tried", True)]  # told by later releases
    weak = [row["knob"] for row in rows if not row["matters"] and row["knob"] in tried]
    untried = [row["knob"] for row in rows if not row["matters"] and row["knob"] not in tried]
    if not strong and not tried:
        return "No setting was tried at more than one level: what matters is not known."
    words = ", ".join(
        f"{row['knob']} ({points(row['points'])} points, best {_level(row)})" for row in strong
    )
    rest = f"; no measurable effect: {', '.join(weak)}" if weak else ""
    rest += f"; not known, as only one level was tried: {', '.join(untried)}" if untried else ""
    start = "What matters, by each level's best plan at up to the recommended price"
    return f"{start}: {words or 'nothing'}{rest}."


def _level(row: Mapping[str, Any]) -> str:
    best = row["best"]
    if row["knob"] == "price":
        return f"${best}"
    return {True: "with", False: "without"}[best] if isinstance(best, bool) else str(best)


def _importance(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    shares = ", ".join(f"{row['knob']} {share(row['share'])}" for row in rows)
    return [f"Share of the variation between plans that each setting explains alone: {shares}."]


def _rule(report: Mapping[str, Any]) -> list[str]:
    rule = report["advice"]["rule_of_thumb"]
    if rule["is_the_rule"]:
        return ["The recommended plan is the rule of thumb's at this price."]
    if rule["gain"] is None:
        return []
    gain = rule["gain"]
    low, high = gain["interval_95"]
    noise = "told from noise" if gain["told_from_noise"] or high < 0 else "within noise"
    plan = told_plan_in_words(rule["at_its_cost"]["plan"])
    return [
        f"{signed(gain['points'])} points ({signed(low)} to {signed(high)}) against the rule of "
        f"thumb at up to its price ({plan}): {noise}."
    ]


def _forecasts(report: Mapping[str, Any]) -> list[str]:
    ahead, lead = report["advice"]["forecast"], report["answer"]["chosen"]
    lines, seen = [], [lead["plan"]] if lead else []
    for row in ahead["at"]:
        if row["plan"] in seen:
            continue
        seen.append(row["plan"])
        lines.append(
            f"Up to {row['times']} times the money: {cents(row['price_tag'])} for "
            f"{told_plan_in_words(row['plan'])} would give {expected(report, row)}"
            f"{_below(report, row)}."
        )
    if lead and not lines:
        lines.append("No plan within the limits is expected to give more for more money.")
    if ahead["backtest_median_error_points"] is not None:
        lines.append(
            f"Such forecasts missed by {points(ahead['backtest_median_error_points'])} points "
            f"(median of {counted(ahead['backtest_forecasts'], 'forecast')} of dear plans from "
            "cheap ones)."
        )
    return lines


def _below(report: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Why a forecast is below the model of all answers owned; "" where it is not."""
    merged = report["all_labels_merged"]
    if not merged or row["accuracy"] >= merged["accuracy"]:
        return ""
    plan = row["plan"]
    owned = f"all {counted(merged['answers'], 'answer')} bought give {percent(merged['accuracy'])}"
    if plan["tasks"] * plan["overlap"] < merged["answers"]:
        return f"; {owned} today, as they are more"
    return f"; {owned} on the final images, which may be easier than others"


_STOP = {
    "noise": "no larger plan within the limits promises a gain that can be told from noise",
    "small": "the gains of larger plans that can be told from noise are too small to matter",
    "rate": "larger plans promise too few points for a dollar",
}


def why_stop(verdict: Mapping[str, Any]) -> str:
    """Why not to buy more, in words."""
    return _STOP.get(verdict.get("why", ""), _STOP["noise"])  # earlier releases do not say it


def _verdict(verdict: Mapping[str, Any]) -> str:
    if verdict["stop"]:
        return f"Verdict: stop here; {why_stop(verdict)}."
    return (
        f"Verdict: {cents(verdict['more'])} more for "
        f"{told_plan_in_words(verdict['plan']['plan'])} adds {points_words(verdict['gain'])}."
    )


def confirmation_line(
    confirmation: Mapping[str, Any], tasks: int, *, same_people: bool = False
) -> str:
    """The confirmation in words.

    Args:
        confirmation: as a report holds it.
        tasks: the plan's.
        same_people: whether the people who answered the search's tasks answered again.
    """
    people = "the same people" if same_people else "annotators the search has not seen"
    gave = with_interval(confirmation["measured"])
    paid = f"bought again for {usd(confirmation['paid'])} from {people}"
    if confirmation["tasks"] == tasks:
        return f"confirmed: {paid}, it gave {gave}"
    part = f"{confirmation['tasks']:,} of {counted(tasks, 'task')}"
    return f"confirmed in part: {part} {paid}, which points to {gave} for all of them"


def merged_line(merged: Mapping[str, Any]) -> str:
    """The accuracy of a model of people's answers, all that were bought, in words."""
    over = counted(merged["conditions"], "condition")
    return (
        f"All {counted(merged['answers'], 'answer')} bought, merged over {over}, give "
        f"{with_interval(merged)} on the final images today."
    )


def delivery_lines(report: Mapping[str, Any]) -> list[str]:
    """The labels and the model that a study delivers, in sentences; none without any."""
    made = report["delivery"]
    if not made:
        return []
    plan = made["plan"]
    exam = f"{' with exam' if plan['exam'] else ''}{people_in_words(plan)}"
    controls = f"{counted(plan['controls'], 'control task')} a page"
    controls = controls if plan["controls"] else "no control tasks"
    reason = {
        "data": "the measurements tell that it is better than the practitioner's",
        "prior": "the practitioner's choice, from which no measured plan could be told",
    }[made["decided_by"]]
    minutes = f" of {made['minutes']:.0f} minutes in all" if made["minutes"] else ""
    lines = [
        f"Learning cost {usd(made['learning'])}; {usd(made['bought'])} bought labels in "
        f"{counted(made['tranches'], 'tranche')}{minutes}, at "
        f"{told_pay_in_words(plan)}{exam} and {controls}: {reason}.",
        ended("The purchase", made["ended"]),
    ]
    for row in made["directly"]:
        gain = row["gain"]
        low, high = gain["interval_95"]
        lines.append(
            f"Bought directly and evenly, {told_plan_in_words(row['plan'])} for "
            f"{cents(row['price_tag'])} would give {with_interval(row)}: the delivered model is "
            f"{signed(printed_difference(made['final'], row))} points "
            f"({signed(low)} to {signed(high)}) from it."
        )
    if first := made["first_purchase"]:
        lines.append(
            f"The first {counted(first['labels'], 'label')} came from annotators that the search "
            f"has not met: their model alone gives {with_interval(first['final'])}."
        )
    return lines


def search_end(report: Mapping[str, Any]) -> str:
    """Why the search ended; a study that buys labels calls its search learning."""
    return ended("Learning" if report["delivery"] else "The search", report["stopped"])


def ended(phase: str, why: str) -> str:
    """Why a phase ended, or that it has not: "The search ended: the target is reached."."""
    return f"{phase} is {why}." if why == UNFINISHED else f"{phase} ended: {why}."


def view_today_lines(today: Mapping[str, Any]) -> list[str]:
    """The accuracy of a model of the labels in a view, or of the recommended plan's, in words."""
    labels = "of the recommended plan"
    if today["view"]:
        over = counted(len(today["versions"]), "version")
        labels = f"inside {today['view']['expression']} ({over})"
    said = [
        f"Today {counted(today['labelled_images'], 'label')} {labels} give {with_interval(today)} "
        f"on {counted(today['images'], today['role'] + ' image')}, which the search has seen."
    ]
    if today["test_view"]:
        inside = today["test_view"]
        said.append(f"{inside_words(inside)} of those images inside {inside['expression']}.")
    return said


def inside_words(scored: Mapping[str, Any]) -> str:
    """Accuracy on some images: "87.1 % (82.0 to 91.0) on the 133"."""
    if scored["accuracy"] is None:
        return "accuracy is not known on the 0"
    return f"{with_interval(scored)} on the {scored['images']:,}"
