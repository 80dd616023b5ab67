"""The first block of the answer: at most six lines that say how much to spend, and on which plan.

Every number comes from the report, so that no line says other than the page below it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from budget.money import Money
from hpo.answer.plan_in_words import (
    controls_in_words,
    counted,
    exam_and_people_in_words,
    few_answers,
    people_in_words,
    told_pay_in_words,
)
from hpo.answer.sections.sellers.machine import machine_in_short
from hpo.answer.sentences import (
    UNFINISHED,
    cents,
    expected,
    interval,
    percent,
    points_words,
    with_interval,
)
from hpo.settings.market_kinds import kind_named
from hpo.settings.parsing import BUILT_IN_DATA

_SMALL_REST = 20  # less than this part of the budget is as good as nothing
WIDTH = 96  # characters of a line, so that a box around it has 100


def title(report: Mapping[str, Any]) -> str:
    """Whether money was real, where one market can be taken for another; else the study's name."""
    market = report["market"]
    banner = kind_named(market["kind"]).banner
    spent = Money.from_json(report["money"]["spent"])
    said = banner.format(spent=spent, market=market["name"]) or f"Study {report['study']}"
    made_up = report.get("stand_ins")
    if made_up and not made_up["redraws"]:
        return f"{said}; MADE-UP classes: no label is known"
    return (
        f"{said}: a rehearsal, on labels that a model made up" if made_up and not banner else said
    )


def summary_lines(report: Mapping[str, Any]) -> list[str]:
    """The answer in at most six lines."""
    answer = report["answer"]
    if report["delivery"]:
        return delivery_summary(report)
    if answer["chosen"] is None:
        return _no_answer(report)
    lines = [_spend(report), _expect(report), _more(report), *_goal(report), _cost(report)]
    return [*lines, next_line(report)]


def delivery_summary(report: Mapping[str, Any]) -> list[str]:
    """The labels and the model that a study delivers, in at most six lines."""
    made, money = report["delivery"], report["money"]
    labels, plan = made["labels"], made["plan"]
    images = counted(labels["images"], "image")
    if labels["images"] < labels["images_wanted"]:
        images = f"{labels['images']:,} of {counted(labels['images_wanted'], 'image')}"
    spent, cap = cents(money["spent"]), Money.from_json(money["cap"])
    left = cap - Money.parse(spent.removeprefix("$"))  # the two add up as printed
    bought = f"Labels of {images} and a model for {spent}: {counted(labels['answers'], 'answer')}"
    pay = {told_pay_in_words(row["plan"]) for row in (made, *report["purchases"])}
    price = f"{'mostly ' if len(pay) > 1 else ''}at {told_pay_in_words(plan)}"
    final = f"{expected(report, made['final'])} on {counted(made['final']['images'], 'image')}"
    lines = [
        _first_that_fits(
            [
                f"{bought}, {price}{_checks(plan, report['config']['suite_size'])}.",
                f"{bought}, {price}{_short_checks(plan)}.",
                f"{bought}, {price}.",
                f"{bought}.",
            ]
        ),
        *machine_in_short(report.get("machine")),
        f"The model gives {final} that no decision has touched.",
    ]
    if quality := labels["quality"]:
        low_high = interval(quality["interval_95"])
        alone = percent(quality["answers_alone"])
        lines.append(
            f"By estimate {percent(quality['accuracy'])} ({low_high}) of the labels are right"
            + (f"; by answers alone {alone}." if quality["model_counts"] else ".")
        )
    direct = made["directly"][0]
    lines += [
        f"Bought directly and evenly, {cents(direct['price_tag'])} would give "
        f"{with_interval(direct)}.",
        _first_that_fits(
            [
                f"{left.cents()} of {cap.cents()} stays unspent: {made['ended']}.",
                f"{left.cents()} of {cap.cents()} stays: more answers promise too little.",
            ]
        )
        if left.micros * _SMALL_REST > cap.micros
        else f"The budget of {cap.cents()} is used up.",
        next_line(report),
    ]
    return lines


def _no_answer(report: Mapping[str, Any]) -> list[str]:
    reason = report["stopped"]
    if reason == UNFINISHED:
        again = "Next: the study's own command again: it goes on where it stood."
        return ["No answer yet: the study is not finished.", _cost(report), again]
    if report["purchases"]:
        reason = "no plan that was bought keeps the deadline, as measured"
    lines = textwrap.wrap(f"No plan can be recommended: {reason}.", WIDTH)
    return [
        *lines,
        _cost(report),
        "Next: labelworth plan --budget DOLLARS shows which plans a budget bears.",
    ]


def _spend(report: Mapping[str, Any]) -> str:
    answer = report["answer"]
    chosen = answer["chosen"]
    plan, price = chosen["plan"], cents(chosen["price_tag"])
    images = counted(plan["tasks"], "image")
    if plan["tasks"] < answer["images"]:
        images = f"{plan['tasks']:,} of {counted(answer['images'], 'image')}"
    each = f"{few_answers(plan)} at {told_pay_in_words(plan)}"
    checks = _checks(plan, report["config"]["suite_size"])
    short = _short_checks(plan)
    return _first_that_fits(
        [
            f"Spend about {price} on {images}: {each}{checks}.",
            f"Spend about {price} on {images}: {each}{short}.",
            f"Spend {price} on {images}: {each}{short}.",
            f"Spend {price} on {counted(plan['tasks'], 'image')}: {each}{short}.",
            f"Spend about {price} on {images}: {each}.",
        ]
    )


def _checks(plan: Mapping[str, Any], suite_size: int) -> str:
    """The checks of annotators that the plan has."""
    controls = f", {controls_in_words(plan, suite_size)}" if plan["controls"] else ""
    return exam_and_people_in_words(plan) + controls


def _short_checks(plan: Mapping[str, Any]) -> str:
    """The same in fewer words: ", exam, 2 controls"."""
    exam = ", exam" if plan["exam"] else ""
    controls = f", {counted(plan['controls'], 'control')}" if plan["controls"] else ""
    return f"{exam}{people_in_words(plan)}{controls}"


def _expect(report: Mapping[str, Any]) -> str:
    said = f"Expect {expected(report, report['answer']['chosen'])}"
    again = report["confirmation"]
    if not again or report["advice"]["campaign"] is not None:
        return f"{said}."
    return _first_that_fits([f"{said}{words}" for words in _bought_again(report, again)])


def _bought_again(report: Mapping[str, Any], again: Mapping[str, Any]) -> Sequence[str]:
    """What the second purchase gave, in ever fewer words."""
    gave = percent(again["measured"]["accuracy"])
    if again["share"] < 1:
        part = f"{again['tasks']:,} of its {report['recommended']['plan']['tasks']:,} tasks"
        rest = f"{gave}{', beyond noise' if again['differs'] else ''}."
        return (
            f"; {part} bought again point to {rest}",
            f"; a part bought again points to {rest}",
            f"; a part again: {rest}",
        )
    if not again["differs"]:
        return (
            f"; bought again from other annotators it gave {gave}.",
            f"; bought again it gave {gave}.",
        )
    side = "less" if again["measured"]["accuracy"] < again["search_estimate"] else "more"
    return (
        f". Bought again it gave {gave}: {side} than expected, beyond noise.",
        f"; again {gave}, {side} beyond noise.",
    )


def _first_that_fits(lines: Sequence[str]) -> str:
    return next((line for line in lines if len(line) <= WIDTH), lines[-1])


def _more(report: Mapping[str, Any]) -> str:
    advice, chosen = report["advice"], report["answer"]["chosen"]
    verdict = advice["verdict"]
    if not verdict["stop"]:
        more = f"Spend {cents(verdict['more'])} more, {cents(verdict['plan']['price_tag'])} in all,"
        return f"{more} for {points_words(verdict['gain'])} more: {answers_words(verdict['plan'])}."
    twice = advice["forecast"]["at"][0]
    if twice["plan"] == chosen["plan"]:
        return "No plan for twice the money promises more: stop here."
    if not twice["gain"]["told_from_noise"]:
        return "Twice the money adds nothing that can be told from noise: stop here."
    few = "too few for a dollar" if verdict.get("why") == "rate" else "too little to matter"
    return f"Twice the money adds {points_words(twice['gain'])}: {few}, stop here."


def answers_words(row: Mapping[str, Any]) -> str:
    """A plan in few words: its images and the answers to each."""
    return f"{counted(row['plan']['tasks'], 'image')}, {few_answers(row['plan'])}"


def _goal(report: Mapping[str, Any]) -> list[str]:
    """The target, or how far the number of images can be spoken of."""
    answer, target = report["answer"], report["advice"]["target"]
    if target is not None:
        return [target_line(report, target)]
    if answer["answerable"] < answer["images"]:
        return [beyond_line(answer["answerable"])]
    return []


def beyond_line(answerable: int) -> str:
    """How many images can be spoken of."""
    return f"Beyond {counted(answerable, 'image')} nothing can be said: too few are labelled."


def target_line(report: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    """What an accuracy costs, in words."""
    wanted, chosen = f"{100 * target['accuracy']:g} %", target["chosen"]
    if chosen is None:
        return f"No {plans_meant(target)} within the limits reaches {wanted} almost surely."
    low, high = target["dollars_95"]
    most = f"more than any {plans_meant(target)} within the limits" if high is None else cents(high)
    bounds = f"{cents(low)} to {most}" if low is not None else most
    lead = report["answer"]["chosen"]
    plan = "" if lead and chosen["plan"] == lead["plan"] else answers_words(chosen)
    return f"{wanted} costs {cents(chosen['price_tag'])} ({bounds}){': ' if plan else ''}{plan}."


def plans_meant(target: Mapping[str, Any]) -> str:
    """The noun for the plans among which a target was looked for."""
    return "evaluated plan" if target.get("evaluated") else "plan"


def _cost(report: Mapping[str, Any]) -> str:
    spent, owned = cents(report["money"]["spent"]), report["answers_owned"]
    is_real = kind_named(report["market"]["kind"]).real_money
    cost = f"This search {'cost' if is_real else 'would have cost'} {spent}"
    if not owned:
        is_free = not report["money"]["spent"]["micros"]
        return "Nothing was bought." if is_free else f"{cost}; no answer can be used."
    merged = report["all_labels_merged"]
    if not merged:
        return f"{cost}; you own its {counted(owned, 'answer')}."
    gives = f"together they give {percent(merged['accuracy'])} today"
    return f"{cost}; you own its {counted(merged['answers'], 'answer')}: {gives}."


def next_line(report: Mapping[str, Any]) -> str:
    """The step that follows a study."""
    kind = kind_named(report["market"]["kind"])
    is_own = report["config"]["data"] not in BUILT_IN_DATA
    if step := (is_own and kind.next_step_own) or kind.next_step:
        return f"Next: {step}"
    if report["delivery"]:
        return f"Next: labelworth data get {report['delivery']['labels']['version']} --to labels"
    if report["advice"]["campaign"] is not None:
        price = Money.from_json(report["answer"]["chosen"]["price_tag"])
        cap = price.share(Fraction(3, 2)).cents().removeprefix("$")
        return f"Next: labelworth buy RUN_DIR --images folder:DIR --budget {cap}"
    key = report["recommended"]["plan"]["key"]
    version = next(row["version"] for row in report["front"] if row["plan"]["key"] == key)
    return f"Next: labelworth data get {version} --to labels"
