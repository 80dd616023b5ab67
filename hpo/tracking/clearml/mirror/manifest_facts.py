"""A label version's manifest as ClearML shows it: parameters, tags and cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Manifest = Mapping[str, Any]
Params = dict[str, dict[str, Any]]

_PARTS = ("labels", "controls", "unusable", "fee")


def plan_of(manifest: Manifest) -> str:
    """The plan of a version; for the merged labels of a later purchase, the purchase."""
    return str(manifest["plan"]["key"] if "plan" in manifest else manifest["purchase"])


def cost_of(
    manifest: Manifest, bought: Mapping[str, Any] | None, price_tag: int | None = None
) -> dict[str, Any]:
    """The cost of a label version, in dollars and exactly in micro-dollars.

    Args:
        manifest: its manifest.
        bought: the report of its purchase, if that was made after the study.
        price_tag: its plan's last price tag; None for the manifest's price tag.
    """
    cost = _cost(manifest, bought) if price_tag is None else price_tag
    exact = {"cost": cost, **settled(manifest, bought)}
    amounts: dict[str, Any] = {f"{name}_usd": micros / 1e6 for name, micros in exact.items()}
    if "minutes" in manifest:
        amounts["minutes"] = float(manifest["minutes"])
    return {**amounts, "currency": "USD", "micros": exact}


def _cost(manifest: Manifest, bought: Mapping[str, Any] | None) -> int:
    """The price tag of a plan; for a later purchase, the money paid."""
    if "price_tag" in manifest:
        return int(manifest["price_tag"]["micros"])
    return int(bought["money"]["spent"]["micros"]) if bought else 0


def settled(manifest: Manifest, bought: Mapping[str, Any] | None) -> dict[str, int]:
    """Micro-dollars by kind of cost, in the version's condition or in its purchase."""
    parts = manifest.get("condition_cost") or (bought["money"]["bought"] if bought else {})
    return {f"settled_{name}": int(parts[name]["micros"]) for name in _PARTS if name in parts}


def tags_of(manifest: Manifest) -> list[str]:
    """Tags to filter by, few enough for a table: price-0.002, overlap-3."""
    plan = manifest.get("plan")
    tags = [f"price-{manifest['condition']['price']['usd']}"]
    if plan is not None:
        tags.append(f"overlap-{plan.get('dynamic', plan['overlap'])}")
    return [*tags, "merged"] if manifest.get("merged") else tags


def params_of(manifest: Manifest) -> Params:
    """Annotation parameters in sections, flat, so that two versions compare line by line."""
    condition = manifest["condition"]
    sections: Params = {
        "Plan": {"key": plan_of(manifest), "price_usd": condition["price"]["usd"]},
        "Condition": {
            **{name: condition[name] for name in ("key", "market", "data", "suite_size")},
            "controls_per_suite": condition["controls_per_suite"],
            "exam": condition["exam"],
            "reward_per_assignment_usd": condition["reward_per_assignment"]["usd"],
        },
        "Labels": {name: manifest[name] for name in ("question", "aggregation")},
    }
    if "plan" in manifest:
        plan = manifest["plan"]
        sections["Plan"] |= {
            "overlap": plan.get("dynamic", plan["overlap"]),
            "controls_per_suite": plan["controls"],
            "tasks": plan["tasks"],
            "exam": plan["exam"],
            **{name: plan[name] for name in ("prelabel", "group") if name in plan},
        }
    if "campaign" in manifest:
        sections |= _campaign(manifest)
    if manifest.get("view"):
        view = manifest["view"]
        sections["View"] = {name: value for name, value in view.items() if value is not None}
    return sections


def _campaign(manifest: Manifest) -> Params:
    campaign = manifest["campaign"]
    people = ("participants", "banned", "exam_failed", "answers_missing", "minutes")
    return {
        "Campaign": {
            **{name: campaign[name] for name in ("name", "key", "instructions_hash", "language")},
            "language_test": campaign["language_test"],
            "assignment_seconds": campaign["assignment_seconds"],
            **{f"exam/{name}": value for name, value in campaign["exam"].items()},
            **{f"rules/{name}": value for name, value in campaign["quality_rules"].items()},
        },
        "Money": {
            "currency": manifest["currency"],
            "fee_share": manifest["fee"]["share"],
            "fee_minimum_usd": manifest["fee"]["minimum"]["usd"],
        },
        "People": {name: manifest[name] for name in people},
    }
