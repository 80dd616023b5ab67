"""The machine that labelled beside people: how good it is, how it was used, and what it saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo.answer.plan_in_words import counted
from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import MADE_OF, cents, interval, percent

if TYPE_CHECKING:
    from hpo.answer.estimates.plan_estimates import PlanEstimates
    from hpo.trial.versions.machine.choice import MachineChoice
    from hpo.trial.world import World
    from labeling.machine.mixing import Agreement
    from labeling.types import Answers, LabelPlan, LabelSet

_DIGITS = 6
_STEPS = 24  # of the search for the money that people alone need


def _key(findings: Findings) -> str:
    return str(len(findings.own.store.all_orders()))


def _keys(findings: Findings) -> Sequence[str]:
    from hpo.answer.sections.delivered import buys_by

    is_due = findings.world.machine is not None and findings.has_stopped
    has_plan = findings.best is not None or buys_by(findings) is not None
    return [_key(findings)] if is_due and has_plan else []


def _measure(findings: Findings, key: str) -> Any:
    from hpo.trial.evaluate import labels_of
    from hpo.trial.versions.machine.choice import choose_use
    from hpo.trial.versions.machine.reading import machine_reading
    from hpo.trial.versions.merged_labels import merged_labels
    from labeling.machine.calibration import worst_class

    world = findings.own
    plan = _plan(findings)
    owned = merged_labels(world, [int(row) for row in world.pool])
    reading = machine_reading(world)
    if reading is None or world.machine is None:
        return None
    people, answers = labels_of(plan, world) if owned is None else owned[:2]
    choice = choose_use(plan, people, answers, world)
    if choice is None:
        return None
    quality, best, network = reading.quality, choice.best, world.machine.network
    labels = people if best.made is None else best.made.labels
    bare = labels.answers == 0
    worst = worst_class(quality, world.market.asked.classes)
    return {
        "used": best.use,
        "uses": [
            {
                "use": arm.use,
                "accuracy": None if arm.trained is None else round(arm.accuracy, _DIGITS),
                "refused": arm.refused,
            }
            for arm in choice.arms
        ],
        "machine": {
            "accuracy": round(quality.accuracy, _DIGITS),
            "interval_95": [round(quality.low, _DIGITS), round(quality.high, _DIGITS)],
            "images": quality.images,
            "worst_class": worst and {"class": worst[0], "recall": round(worst[1], _DIGITS)},
        },
        "labels": {
            "people": 0 if best.use == "all" else int((~bare).sum()),
            "machine": len(bare) if best.use == "all" else int(bare.sum()),
        },
        "same_network": bool(network) and network in world.features.name,
        "rest": _rest(plan, None if owned is None else owned[:2], world),
        **_evidence(choice),
    }


def _rest(
    plan: LabelPlan, owned: tuple[LabelSet, Answers] | None, world: World
) -> dict[str, Any] | None:
    """The machine's labels that were not bought, and why; None where all were."""
    from dataclasses import replace

    from hpo.trial.purchase import DELIVERED, apart
    from hpo.trial.versions.machine.worth import machine_rest, machine_worth, price_of_answer

    labels, answers = owned or (None, None)
    rest = machine_rest(labels, world)
    worth = machine_worth(plan, labels, answers, world) if rest.pool else None
    if worth is None:
        return None
    condition = apart(world, DELIVERED).condition(replace(plan, dynamic=None))
    people, cost = (
        0 if labels is None else int(labels.answers.sum()),
        rest.cost(len(rest.rows), world),
    )
    now = worth.value(people, rest.bought, is_whole=False)
    whole = worth.value(people, rest.bought + rest.pool, is_whole=True)
    return {
        "bought": rest.bought,
        "images": rest.pool,
        "others": len(rest.rows) - rest.pool,
        "cost": cost.to_json(),
        "cost_in_answers": round(float(cost.dollars) / price_of_answer(condition, world)),
        "worth_in_answers": round(whole - now),
    }


def _evidence(choice: MachineChoice) -> dict[str, Any]:
    gain = choice.gain
    told = None
    if gain is not None:
        told = {
            "points": round(100 * gain.gain, 4),
            "standard_error": None if gain.controls < 2 else round(100 * gain.error, 4),
            "controls": gain.controls,
        }
    pasted = choice.pasted
    return {
        "gain_on_controls": told,
        "audit": _agreement(choice.audit),
        "agreement": _agreement(pasted),
        "contaminated": pasted is not None and pasted.is_too_high,
    }


def _agreement(told: Agreement | None) -> dict[str, Any] | None:
    if told is None or not told.answers:
        return None
    return {
        "seen": round(told.seen, _DIGITS),
        "due": round(told.due, _DIGITS),
        "answers": told.answers,
    }


def _plan(findings: Findings) -> LabelPlan:
    from hpo.answer.sections.delivered import buys_by

    plan = buys_by(findings)
    if plan is None and findings.best is not None:
        plan = findings.best.plan
    assert plan is not None  # noqa: S101 - else there is no key
    return plan


def _tell(findings: Findings, report: Report) -> Report:
    kept = findings.kept(MACHINE_USE.name).get(_key(findings)) if findings.has_stopped else None
    if findings.world.machine is None:
        return report
    if not kept:
        return {**report, "machine": None}
    return {**report, "machine": {**kept, **_money(findings, report, kept)}}


def _money(findings: Findings, report: Report, kept: Mapping[str, Any]) -> dict[str, Any]:
    """Dollars by seller, and what people alone would need for the same accuracy."""
    from hpo.trial.spending import of_study

    parts = of_study(findings.own)
    people = parts.total - parts.machine
    scored = report.get("delivery") or report.get("all_labels_merged")
    alone = None
    if scored and kept["used"] != "off":
        final = scored.get("final", scored)
        alone = people_alone(_plan(findings), final["accuracy"], findings.advisor.estimates)
    ratio = None
    price = findings.world.machine and findings.world.machine.source.tariff.expected(
        1, findings.world.machine.condition.price
    )
    if alone and alone["dollars"] and price and price.micros:
        saved = alone["dollars"]["micros"] - people.micros
        now = _plan(findings).price.micros / price.micros
        ratio = round(now * parts.machine.micros / saved, 4) if saved > 0 else None
    return {
        "dollars": {"people": people.to_json(), "machine": parts.machine.to_json()},
        "people_alone": alone,
        "price_ratio": {
            "people_to_machine": None
            if not price or not price.micros
            else round(_plan(findings).price.micros / price.micros, 4),
            "people_win_below": ratio,
        },
    }


def people_alone(plan: LabelPlan, accuracy: float, estimates: PlanEstimates) -> dict[str, Any]:
    """The plan of people alone that is expected to be as good, by the study's own estimates.

    Args:
        plan: gives price, control tasks and exam.
        accuracy: to reach.
        estimates: of people's plans.

    Returns:
        Its dollars, and what it is expected to give; dollars None where the largest plan does not
        reach it.
    """
    from dataclasses import replace

    from hpo.trial.purchase import MOST_ANSWERS

    pool = len(estimates.world.pool)

    def of(answers: int) -> LabelPlan:
        if answers <= pool:
            return replace(plan, overlap=1, tasks=answers, dynamic=None)
        return replace(plan, overlap=-(-answers // pool), tasks=pool, dynamic=None)

    def gives(answers: int) -> float:
        return float(estimates.draws([of(answers)]).mean())

    low, high = 1, pool * MOST_ANSWERS
    most = of(high)
    if gives(high) < accuracy:
        return {"dollars": None, "plan": most.key, "accuracy": round(gives(high), _DIGITS)}
    for _ in range(_STEPS):
        if high - low <= max(1, low // 50):
            break
        middle = (low + high) // 2
        low, high = (low, middle) if gives(middle) >= accuracy else (middle, high)
    found = of(high)
    price = estimates.costs.price(found)
    return {"dollars": price.to_json(), "plan": found.key, "accuracy": round(gives(high), _DIGITS)}


def machine_in_short(told: Mapping[str, Any] | None) -> list[str]:
    """Whose the labels are, and what the machine itself gives; none where it is not used.

    Args:
        told: the report's part on the machine; None without any.
    """
    if not told or told["used"] == "off":
        return []
    machine = told["machine"]
    return [
        f"The labels are {MADE_OF[told['used']]}. The machine itself as your model: "
        f"{percent(machine['accuracy'])} ({interval(machine['interval_95'])})."
    ]


def machine_lines(
    told: Mapping[str, Any], final: Mapping[str, Any] | None, is_delivered: bool = True
) -> list[str]:
    """The machine in words.

    Args:
        told: the report's part on it.
        final: scores of the delivered model on final images; None without any.
        is_delivered: whether the study delivers labels; else it says which would be best.
    """
    machine = told["machine"]
    low = machine["worst_class"]
    worst = f" It is worst on {low['class']!r}: {percent(low['recall'])} of them." if low else ""
    trained = f", and the model trained here {percent(final['accuracy'])}" if final else ""
    lines = [
        f"The machine itself as your model: {percent(machine['accuracy'])} "
        f"({interval(machine['interval_95'])}) on {counted(machine['images'], 'image')} of known "
        f"class{trained}.{worst}",
        f"{'The delivered labels are' if is_delivered else 'The best labels today would be'} "
        f"{MADE_OF[told['used']]}. On validation images: {_uses(told['uses'])}.",
        *_refused(told["uses"]),
        *_not_bought(told["rest"]),
        *([_sellers(told), *_alone(told)] if is_delivered else [f"{_dollars(told)}."]),
    ]
    if told["same_network"]:
        lines.append(
            "The machine and the study's features come from one network: a model on these features "
            "repeats the machine, and its accuracy is no evidence that the labels are worth more."
        )
    if told["contaminated"]:
        seen, due = told["agreement"]["seen"], told["agreement"]["due"]
        lines.append(
            f"Warning: people agree with the machine in {percent(seen)} of their answers, and "
            f"their answers to control tasks allow {percent(due)}. Some of them may paste a "
            "machine's answers."
        )
    return lines


def _uses(rows: Sequence[Mapping[str, Any]]) -> str:
    told = [f"{r['use']} {percent(r['accuracy'])}" for r in rows if r["accuracy"] is not None]
    return ", ".join(told)


def _refused(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ways that were not used, a line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(row["refused"], []).append(row["use"])
    return [f"Not used: {', '.join(u)} ({reason})." for reason, u in by_reason.items() if reason]


def _not_bought(rest: Mapping[str, Any] | None) -> list[str]:
    """Why some of the machine's labels, or all, were not bought."""
    if not rest:
        return []
    pool, cost = rest["bought"] + rest["images"], rest["cost_in_answers"]
    worth = max(0, rest["worth_in_answers"])
    told = f"are expected to be worth {worth:,} of them" if worth else "are expected to add nothing"
    why = "not bought" if worth <= cost else "the money left did not bear all of them"
    others = rest.get("others", 0)  # not there in reports of an older release
    beside = f", with its answers about {counted(others, 'image')} that test it," if others else ""
    return [
        f"The machine labelled {rest['bought']:,} of the {pool:,} images of the pool. Its labels "
        f"for the other {rest['images']:,}{beside} would cost {cents(rest['cost'])}, as much as "
        f"{cost:,} answers of people, and {told}: {why}."
    ]


def _sellers(told: Mapping[str, Any]) -> str:
    labels = told["labels"]
    return (
        f"Labels by seller: {labels['people']:,} images that people answered, "
        f"{labels['machine']:,} by the machine alone; {_dollars(told)}."
    )


def _dollars(told: Mapping[str, Any]) -> str:
    dollars = told["dollars"]
    return (
        f"{cents(dollars['people'])} went to people and {cents(dollars['machine'])} to the machine"
    )


def _alone(told: Mapping[str, Any]) -> list[str]:
    alone, ratio = told["people_alone"], told["price_ratio"]
    if alone is None:
        return []
    if alone["dollars"] is None:
        return [
            "No plan of people alone is expected to reach this accuracy on this pool; the largest "
            f"gives {percent(alone['accuracy'])}."
        ]
    line = f"People alone are expected to need {cents(alone['dollars'])} for the same accuracy."
    if ratio["people_win_below"] is not None:
        line += (
            f" They win where an answer of theirs costs less than {ratio['people_win_below']:.2g} "
            f"times the machine's; here it costs {ratio['people_to_machine']:.3g} times as much."
        )
    return [line]


def _sentences(report: Mapping[str, Any]) -> list[str]:
    told = report.get("machine")
    if not told:
        return []
    made = report["delivery"]
    final = made["final"] if made else report["all_labels_merged"]
    return machine_lines(told, final, is_delivered=bool(made))


MACHINE_USE = Section(
    "machine_use", "measuring the ways to use the machine", _keys, _measure, _tell, _sentences
)
