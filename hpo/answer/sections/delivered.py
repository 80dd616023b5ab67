"""All labels owned, and the model that they give: delivered, or owned beside the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from budget.money import ZERO
from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import MADE_OF, UNFINISHED, delivery_lines, merged_line, with_interval

if TYPE_CHECKING:
    from labeling.types import LabelPlan

DECIDED, ENDED = "bought by", "ended"
"""Names under which a study keeps, by cap, the plan that it buys labels by, and why it ended."""
LABELS_FILE, MODEL_FILE = "labels.csv", "model.safetensors"


def owned_key(findings: Findings) -> str:
    """A key of everything bought so far."""
    orders = [record.order for record in findings.own.store.all_orders()]
    return str(sum(order.condition.price != ZERO for order in orders))  # not own labels


def _cap(findings: Findings) -> str:
    return str(findings.own.ledger.balance().cap.micros)


def buys_by(findings: Findings) -> LabelPlan | None:
    """The plan that labels are bought by; None where the study delivers none."""
    from labeling.types import LabelPlan

    decided = findings.kept(DECIDED).get(_cap(findings))
    return LabelPlan.parse(decided["plan"]) if decided else None


# --- all labels, of a study that searches for a plan ---


def _merged_keys(findings: Findings) -> Sequence[str]:
    return [owned_key(findings)] if findings.best is not None and buys_by(findings) is None else []


def _measure_merged(findings: Findings, key: str) -> Any:
    from hpo.trial.versions.merged_labels import merged_today

    assert findings.best is not None  # noqa: S101 - else there is no key
    return merged_today(findings.best.plan, findings.own)


def _tell_merged(findings: Findings, report: Report) -> Report:
    merged = findings.kept(MERGED.name).get(owned_key(findings))
    if (made := delivered(findings)) is not None:
        labels = made["labels"]
        merged = {
            "conditions": labels["conditions"],
            "labelled_images": labels["images"],
            "answers": labels["answers"],
            "accuracy": made["final"]["accuracy"],
            "interval_95": made["final"]["interval_95"],
            "labels": labels["quality"],
        }
    return {**report, "all_labels_merged": merged}


def merged_sentences(report: Mapping[str, Any]) -> list[str]:
    """What everything owned gives, in words; nothing without labels."""
    merged, machine = report["all_labels_merged"], report.get("machine")
    if not merged:
        return []
    if report["delivery"] and machine and machine["used"] != "off":
        return [
            f"The delivered labels, {MADE_OF[machine['used']]}, give {with_interval(merged)} on "
            "the final images today."
        ]
    return [merged_line(merged)]


# --- the labels that a study delivers ---


def _delivery_keys(findings: Findings) -> Sequence[str]:
    return [owned_key(findings)] if buys_by(findings) is not None and findings.has_stopped else []


def _measure_delivery(findings: Findings, key: str) -> Any:
    """Train on all labels, save their version, and write labels and model into the run folder."""
    from budget.files import write_whole
    from hpo.answer.confirmation import first_delivered
    from hpo.trial.purchase import DELIVERED, apart, paid_apart
    from hpo.trial.spending import of_condition
    from hpo.trial.versions.merged_labels import make_final
    from labeling import versions

    plan, world = buys_by(findings), apart(findings.own, DELIVERED)
    assert plan is not None  # noqa: S101 - else there is no key
    final = make_final(plan, world, [int(row) for row in world.pool])
    version = versions.load(final.facts["labels"]["version"], world.folder / "versions")
    table = (version.path / versions.LABELS).read_bytes()
    write_whole(world.folder / LABELS_FILE, table)
    write_whole(world.folder / MODEL_FILE, final.model)
    bought = paid_apart(world, DELIVERED)
    parts = of_condition(world.condition(plan), world)
    return {
        **final.facts,
        "plan": plan.key,
        "money": {"spent": bought.to_json(), "bought": parts.to_plain()},
        "first": first_delivered(plan, findings.own),
    }


def delivered(findings: Findings) -> Mapping[str, Any] | None:
    """What is kept of the labels and the model that a study delivers; None before."""
    if not findings.has_stopped or buys_by(findings) is None:
        return None
    return findings.kept(DELIVERY.name).get(owned_key(findings))


def _tell_delivery(findings: Findings, report: Report) -> Report:
    from hpo.answer.advice.advisor import plan_fields
    from hpo.answer.advice.baselines import direct_purchases
    from hpo.answer.sections.final import told_score
    from hpo.trial.purchase import CONFIRMED, DELIVERED, TESTED, mark_of, paid_apart
    from labeling.machine import MACHINE

    made, plan = delivered(findings), buys_by(findings)
    if made is None or plan is None:
        return {**report, "delivery": None}
    own, cap = findings.own, _cap(findings)
    balance = own.ledger.balance()
    records = [r for r in own.store.all_orders() if mark_of(r.order) == DELIVERED]
    bought = paid_apart(own, DELIVERED)
    first, others = made["first"], (CONFIRMED, TESTED, MACHINE)
    told = {
        "plan": plan_fields(plan),
        "decided_by": findings.kept(DECIDED)[cap]["by"],
        "ended": findings.kept(ENDED).get(cap, UNFINISHED),
        "learning": (balance.spent - bought - paid_apart(own, *others)).to_json(),
        "bought": bought.to_json(),
        "tranches": len(records),
        "minutes": round(sum(r.end.minutes for r in records if r.end), 3),
        "labels": made["labels"],
        "model": made["model"],
        "final": made["final"],
        "first_purchase": first and {**first, "final": told_score(first["final"])},
        "directly": direct_purchases(made["final"], balance.cap, findings.advisor.estimates),
    }
    return {**report, "delivery": told}


MERGED = Section("merged", "", _merged_keys, _measure_merged, _tell_merged, merged_sentences)
DELIVERY = Section(
    "delivery",
    "training on all labels owned",
    _delivery_keys,
    _measure_delivery,
    _tell_delivery,
    delivery_lines,
    event="delivery",
)
