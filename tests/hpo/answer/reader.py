"""A reader of a whole answer: names every contradiction that it finds, by kind."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from budget.money import ZERO, Money
from hpo.answer.estimates.plan_estimates import tolerance
from hpo.answer.summary import summary_lines
from hpo.answer.summary import title as summary_title
from hpo.answer.terminal import words
from hpo.settings.config import StudyConfig
from hpo.trial.outcome import plan_from_plain
from labeling.types import LabelPlan

Report = Mapping[str, Any]
Violation = tuple[str, str]  # its kind, and what is wrong
_NOUNS = "image|answer|task|plan|condition|purchase|forecast|label|version|annotator|conflict"
_ONE = re.compile(rf"(?<![\d.,$-])1 (?:[a-z]+ )?(?:{_NOUNS})s\b(?! each time)")
_MANY = re.compile(rf"(?<![\d.,$])(?!1 )(\d[\d,]*) (?:{_NOUNS})\b")
ANY_SIZE = ("forecast", "verdict")  # may name any number of images
_CLOSE = 1.1e-4  # of numbers that are told with four digits


def violations(
    report: Report, config: StudyConfig, space: Sequence[LabelPlan], pool: int
) -> list[Violation]:
    """Everything that is wrong with a report.

    Args:
        report: the report.
        config: of its study.
        space: the plans inside the limits of money and time, as quoted before anything was bought.
        pool: images of the study's pool.
    """
    found = [
        *_money(report),
        *_text(report),
        *_block(report),
        *_settings(report, config),
        *_stop(report),
        *_delivery(report, config),
    ]
    if report["recommended"] is not None:
        found += [
            *_named(report, config, space, pool),
            *_rising(report),
            *_same(report),
            *_owned(report),
            *_verdict(report, config),
            *_chosen(report),
            *_intervals(report),
        ]
    return found


def rows(report: Report) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every place of a report that says what is expected of a plan."""
    advice, answer = report["advice"], report["answer"]
    yield "recommended", report["recommended"]
    for name in ("front", "purchases"):
        yield from ((name, row) for row in report[name])
    if answer["chosen"]:
        yield "answer", answer["chosen"]
    yield from (("rule", row) for row in advice["rule_of_thumb"]["curve"])
    yield from (("forecast", row) for row in advice["forecast"]["at"])
    places = {
        "rule at its cost": advice["rule_of_thumb"]["at_its_cost"],
        "campaign": (advice["campaign"] or {}).get("chosen"),
        "target": (advice["target"] or {}).get("chosen"),
        "verdict": advice["verdict"]["plan"],
    }
    yield from ((name, row) for name, row in places.items() if row)


def plan_of(row: Mapping[str, Any]) -> LabelPlan:
    """The plan of a report's row."""
    raw = row["plan"]
    return plan_from_plain({**raw, "price_micros": raw["price_per_task"]["micros"]})


def _named(
    report: Report, config: StudyConfig, space: Sequence[LabelPlan], pool: int
) -> Iterator[Violation]:
    inside = {plan.key for plan in space}
    most = Money.from_json(report["money"]["cap"]).share(config.plan_share)
    sizes = {plan.tasks for plan in space}
    kinds = {replace(plan, tasks=1) for plan in space}
    for place, row in rows(report):
        plan = plan_of(row)
        if plan.key != row["plan"]["key"]:
            yield "plan that does not exist", f"{place}: {row['plan']}"
        if place == "purchases":  # bought before its condition's pace was known
            continue
        if config.max_minutes is not None and (row["minutes"] or 0) > config.max_minutes:
            yield "beyond the limits", f"{place}: {plan.key} takes {row['minutes']} minutes"
        if place in ANY_SIZE and not config.pool_size:
            if plan.tasks not in sizes and Money.from_json(row["price_tag"]) > most:
                yield "beyond the limits", f"{place}: {plan.key} costs {row['price_tag']}"
            if replace(plan, tasks=1) in kinds and min(sizes) <= plan.tasks <= pool:
                continue
        larger = config.pool_size is not None and plan.tasks not in {p.tasks for p in space}
        if plan.key not in inside and not (larger or config.pool_size):
            yield "plan that does not exist", f"{place}: {plan.key}"
        if plan.tasks > max(pool, report["answer"]["images"]):
            yield "plan that does not exist", f"{place}: {plan.key} has too many tasks"


def _condition(plan: LabelPlan) -> tuple[object, ...]:
    return plan.price, plan.controls, plan.exam, plan.dynamic


def _rising(report: Report) -> Iterator[Violation]:
    told = {plan_of(row).key: (plan_of(row), row["accuracy"]) for _, row in rows(report)}
    for (small, less), (large, more) in itertools.permutations(told.values(), 2):
        contains = (
            _condition(small) == _condition(large)
            and small.tasks <= large.tasks
            and small.overlap <= large.overlap
        )
        if contains and more < less - _CLOSE:
            yield "dearer is worse", f"{large.key} {more} after {small.key} {less}"
    for name, ladder in (
        ("front", report["front"]),
        ("forecast", report["advice"]["forecast"]["at"]),
    ):
        for cheap, dear in itertools.pairwise(ladder):
            if dear["accuracy"] < cheap["accuracy"] - _CLOSE:
                yield "dearer is worse", f"{name}: {dear['plan']['key']}"
    lead = report["answer"]["chosen"]
    for row in report["advice"]["forecast"]["at"]:
        if lead and row["accuracy"] < lead["accuracy"] - _CLOSE:
            yield "dearer is worse", f"forecast {row['times']}x below the answer"


def _same(report: Report) -> Iterator[Violation]:
    first: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for place, row in rows(report):
        where, other = first.setdefault(row["plan"]["key"], (place, row))
        pairs = [(row["accuracy"], other["accuracy"])]
        pairs += list(zip(row["interval_95"], other["interval_95"], strict=True))
        pairs += [((row["minutes"] or 0) / 100, (other["minutes"] or 0) / 100)]
        pairs += [(row["price_tag"]["micros"], other["price_tag"]["micros"])]
        if any(abs(a - b) > _CLOSE for a, b in pairs):
            yield "two numbers for one plan", f"{row['plan']['key']}: {place} and {where}"


def _money(report: Report) -> Iterator[Violation]:
    money = {
        name: Money.from_json(report["money"][name]) for name in ("cap", "spent", "held", "left")
    }
    if money["spent"] + money["held"] + money["left"] != money["cap"]:
        yield "money does not add up", "spent, held and left"
    bought = sum((Money.from_json(part) for part in report["money"]["bought"].values()), ZERO)
    if bought != money["spent"]:
        yield "money does not add up", "what was bought"
    paid = [row["paid"] for row in (*report["purchases"], *report["confirmations"])]
    paid += [report["delivery"]["bought"]] if report["delivery"] else []
    if sum((Money.from_json(part) for part in paid), ZERO) != money["spent"]:
        yield "money does not add up", "purchases and confirmations"
    if money["spent"] > money["cap"]:
        yield "money does not add up", "above the cap"


def _text(report: Report) -> Iterator[Violation]:
    for line in (summary_title(report), *words(report)):
        if re.search(r"-0\.0+(?!\d)", line):
            yield "-0.0", line
        if _ONE.search(line) or _MANY.search(line):
            yield "singular and plural", line
        if "None" in line or "nan" in line:
            yield "a value that is missing", line


def _block(report: Report) -> Iterator[Violation]:
    lines = summary_lines(report)
    if len(lines) > 6 or max(map(len, lines)) > 96:
        yield "first block too large", "\n".join(lines)


def _owned(report: Report) -> Iterator[Violation]:
    merged, lead = report["all_labels_merged"], report["answer"]["chosen"]
    if not merged or report["delivery"]:  # what more money gives is told of labels then
        return
    text = " ".join(words(report))
    for row in report["advice"]["forecast"]["at"]:
        below = row["accuracy"] < merged["accuracy"] and row["plan"] != lead["plan"]
        if below and "bought give" not in text:
            yield "forecast below what is owned", f"{row['times']}x: {row['plan']['key']}"


def _verdict(report: Report, config: StudyConfig) -> Iterator[Violation]:
    verdict, text = report["advice"]["verdict"], " ".join(words(report))
    if not verdict["stop"]:
        if verdict["gain"]["interval_95"][0] <= 0:
            yield "verdict inside noise", str(verdict)
        if verdict["rate"] < config.least_rate:
            yield "verdict below the rate asked for", str(verdict)
        if Money.from_json(verdict["more"]) <= ZERO:
            yield "verdict for no money", str(verdict)
    least = report["answer"]["chosen"] and tolerance(report["answer"]["chosen"]["accuracy"])
    for row in report["advice"]["forecast"]["at"] if verdict["stop"] else ():
        gain = row["gain"]
        if not gain["told_from_noise"]:
            continue
        is_large = gain["points"] >= 100 * least + 0.01
        if verdict["why"] == "noise" or (is_large and verdict["why"] != "rate"):
            yield "reason to stop is not true", f"{verdict['why']}: {row['times']}x gives {gain}"
    if verdict["why"] == "rate" and not config.least_rate:
        yield "reason to stop is not true", "no rate is asked for"
    if not report["delivery"] and verdict["stop"] != (
        "stop here" in " ".join(summary_lines(report))
    ):
        yield "verdict and first block differ", text


def _chosen(report: Report) -> Iterator[Violation]:
    best, front = report["recommended"], report["front"]
    if not best["why"].startswith("cheapest evaluated plan within"):
        return
    tolerance = report["advice"]["tolerance_points"] / 100
    least = max(row["accuracy"] for row in front) - tolerance - _CLOSE
    for row in front:
        as_good = row["accuracy"] > least + 2 * _CLOSE
        if as_good and Money.from_json(row["price_tag"]) < Money.from_json(best["price_tag"]):
            yield "not the cheapest within the tolerance", row["plan"]["key"]
    if best["accuracy"] < least:
        yield "outside the tolerance", f"{best['accuracy']} is under {least}"


def _stop(report: Report) -> Iterator[Violation]:
    stopped = report["stopped"]
    if "every plan inside the limits is evaluated" in stopped and not report["evaluated_plans"]:
        yield "reason to stop is not true", stopped
    if report["recommended"] is None:
        return
    advice = report["advice"]
    if "no plan promised" in stopped and not advice["verdict"]["stop"]:
        yield "reason to stop is not true", stopped
    if "reaches the target" in stopped and advice["target"]["chosen"] is None:
        yield "reason to stop is not true", stopped


def _settings(report: Report, config: StudyConfig) -> Iterator[Violation]:
    notes = " ".join(report["notes"])
    if config.max_minutes is not None and "Without a deadline" in notes:
        yield "sentence not true of the settings", "deadline"
    if config.difficulty == "images" and "If images are hard where classes overlap" in notes:
        yield "sentence not true of the settings", "difficulty"
    rule = (report["advice"] or {}).get("rule_of_thumb")
    if rule and rule["at_its_cost"]:
        same = rule["at_its_cost"]["plan"] == report["recommended"]["plan"]
        if same != rule["is_the_rule"]:
            yield "sentence not true of the settings", "rule of thumb"


def _delivery(report: Report, config: StudyConfig) -> Iterator[Violation]:
    made, money = report["delivery"], report["money"]
    if made is None:
        if config.delivers and report["purchases"]:
            yield "nothing delivered", report["stopped"]
        return
    if not config.delivers:
        yield "delivered for the goal plan", made["ended"]
    again = sum(row["paid"]["micros"] for row in report["confirmations"])
    parts = made["learning"]["micros"] + made["bought"]["micros"] + again
    if parts != money["spent"]["micros"]:
        yield "delivery does not add up", f"{parts} of {money['spent']}"
    if made["ended"] in ("not finished", ""):
        yield "no reason for the end", str(made["ended"])
    page = config.tariff.cost(1, plan_of(made).price * config.suite_size)
    if made["ended"] == "the money is used up" and money["left"]["micros"] >= page.micros:
        yield "money left", f"{money['left']} of {money['cap']}: {made['ended']}"
    for row in made["directly"]:
        if row["price_tag"]["micros"] > money["cap"]["micros"]:
            yield "beyond the limits", f"bought directly for {row['price_tag']}"
        apart = 100 * (made["final"]["accuracy"] - row["accuracy"])
        if abs(row["gain"]["points"] - apart) > 0.02:
            yield "gain is no difference", f"{row['gain']} for {apart}"
    yield from _labels(made["labels"], made["final"], report["all_labels_merged"])


def _labels(
    labels: Mapping[str, Any], final: Mapping[str, Any], merged: Mapping[str, Any]
) -> Iterator[Violation]:
    if (merged["accuracy"], merged["answers"]) != (final["accuracy"], labels["answers"]):
        yield "numbers differ", f"delivered {final}, merged {merged}"
    if labels["images"] > labels["images_wanted"] or labels["answers"] < labels["images"]:
        yield "labels of no image", str(labels)
    if quality := labels["quality"]:
        low, high = quality["interval_95"]
        if not low <= quality["accuracy"] <= high:
            yield "value outside its interval", str(quality)
        is_strong = quality["model_power"] >= 1.2
        if quality["model_counts"] != is_strong or (quality["changed_by_model"] and not is_strong):
            yield "guard of the model", str(quality)


def _intervals(report: Report) -> Iterator[Violation]:
    for place, row in rows(report):
        low, high = row["interval_95"]
        if not low - _CLOSE <= row["accuracy"] <= high + _CLOSE:
            yield "value outside its interval", f"{place}: {row['plan']['key']}"
    notes = " ".join(report["notes"])
    for row in report["front"]:
        low, high = row["measured"]["interval_95"]
        outside = not low <= row["accuracy"] <= high
        if outside and "outside the interval of its measurement" not in notes:
            yield "estimate outside its measurement", row["plan"]["key"]
