"""The study as a task of type optimizer, which the HPO view of ClearML expects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from budget.money import Money
from hpo.answer.terminal import words
from hpo.tracking.clearml.mirror import figures
from hpo.tracking.clearml.mirror.pages.story import answer_table, console, printed
from hpo.tracking.clearml.mirror.run_directory import RunDirectory, TrialRow
from hpo.tracking.clearml.server.records import (
    Parts,
    Plot,
    Record,
    Scalar,
    digest,
    epoch_ms,
    json_artifact,
)
from hpo.trial.outcome import Outcome

TITLE, SERIES = "accuracy", "validation"
OBJECTIVE = f"{TITLE}/{SERIES}"
MONEY = "money by purchase"

Links = Mapping[str, str]
"""Plan key -> the web page of its task."""


def controller_key(run: RunDirectory) -> str:
    """Our id of a study's controller."""
    return f"study {run.id}"


def controller_record(
    run: RunDirectory, project: str, links: Links, status: str, reason: str, base: str
) -> Record:
    """The controller as it stands.

    Args:
        run: the run directory's content.
        project: its project's name.
        links: pages of the children.
        status: in_progress, completed or stopped.
        reason: why.
        base: the first child's id, the base task of the HPO view; "" while there is no child.
    """
    facts = (run.id, run.about, len(run.rows), run.roles, bool(run.report), dict(links), status)
    return Record(
        key=controller_key(run),
        digest=digest(*facts, reason, len(run.confirmations), len(run.deliveries), base),
        name=f"study {run.study}",
        kind="optimizer",
        project=project,
        parent="",
        tags=["optimization", "labelworth", str(run.about["market"]["kind"])],
        system_tags=[],
        comment=_comment(run),
        script=run.program,
        params={"General": _options(run, base), "properties": _properties(run)},
        status=status,
        reason=reason,
        build=lambda task: _parts(run, links, status),
    )


def _comment(run: RunDirectory) -> str:
    about = run.about
    money = "real money" if about["market"]["real_money"] else "no real money was spent"
    asked = (
        f"How much to invest in annotations of {about['data']['images']['pool']} images, "
        f"cap ${run.cap / 1e6:.2f}; market {about['market']['name']}, {money}."
    )
    return "\n".join([asked, *(words(run.report) if run.report else [])])


def _options(run: RunDirectory, base: str) -> dict[str, Any]:
    """The options that the HPO view reads, under General/opt, and the study's own settings."""
    options = {
        "base_task_id": base,
        "objective_metric_title": TITLE,
        "objective_metric_series": SERIES,
        "objective_metric_sign": "max_global",
        "optimizer_class": f"labelworth sampler {run.about['config']['sampler']}",
        "optimization_time_limit": "",
        "total_max_jobs": run.about["config"]["trials"] or "",
        "money_cap_usd": Money(run.cap).exact(),
    }
    return {f"opt/{name}": value for name, value in options.items()}


def _properties(run: RunDirectory) -> dict[str, Any]:
    properties: dict[str, Any] = {"cap_usd": Money(run.cap).exact(), "began": run.begun}
    if run.ended:
        properties["ended"] = run.ended
    if run.rows:
        properties["spent_usd"] = Money(_spent(run)).exact()
    if run.report and run.report["recommended"]:
        best = run.report["recommended"]
        properties["recommended"] = best["plan"]["key"]
        properties["recommended_price_tag_usd"] = best["price_tag"]["usd"]
    return properties


def _spent(run: RunDirectory) -> int:
    later = (*run.confirmations, *run.deliveries)
    return max(0, *(row.spent for row in run.rows), *(int(c["spent"]) for c in later))


def _parts(run: RunDirectory, links: Links, status: str) -> Parts:
    rows = summary_rows(run, links)
    files = []
    if status != "in_progress":  # until then the plots show it, at fewer requests
        files.append(json_artifact("summary", {"table": rows}, f"{len(rows)} evaluations"))
    if run.report:
        files.append(json_artifact("report", run.report, printed(run.report)))
    return Parts(
        configuration={
            "General": (_space(run), "json", "the search space"),
            "Campaign": (
                json.dumps(run.about["campaign"], indent=1),
                "json",
                "the questions to annotators, and the rules",
            ),
            "Study": (json.dumps(run.about["config"], indent=1), "json", "the configuration"),
        },
        artifacts=files,
        scalars=list(_scalars(run)),
        plots=_plots(run, rows),
        lines=console(run),
        at_ms=epoch_ms(run.rows[-1].at if run.rows else run.begun),
    )


def _space(run: RunDirectory) -> str:
    """The search space as the HPO view's configuration object holds it."""
    config = run.about["config"]
    values = {knob: config[knob] for knob in figures.KNOBS}
    values["overlap"] = [*values["overlap"], *config["dynamic_overlap"]]
    space = [
        {"type": "DiscreteParameterRange", "name": f"General/{knob}", "values": levels}
        for knob, levels in values.items()
    ]
    return json.dumps({"parameter_optimization_space": space}, indent=1)


def _scalars(run: RunDirectory) -> list[Scalar]:
    """Accuracy by evaluation, as the table numbers them, and money by purchase.

    A server remembers the least and the most of all values that it got. So a point is written once:
    it depends on the journal up to its evaluation, and no later line changes it.
    """
    points: list[Scalar] = []
    best, bought = 0.0, 0
    for row in run.rows:
        best, at = max(best, row.outcome.accuracy), epoch_ms(row.at)
        points += [
            Scalar(OBJECTIVE, "max", row.number, best, at),
            Scalar(OBJECTIVE, "last reported", row.number, row.outcome.accuracy, at),
        ]
        if row.version is not None:
            bought += 1
            points += _money(row, bought, at)
    return points + _final(run)


def _money(row: TrialRow, bought: int, at: int) -> Iterator[Scalar]:
    """The money and the trials that were left after a purchase."""
    left = max(0.0, 100 * (1 - row.spent / row.cap))
    yield Scalar("remaining budget", "money %", bought, round(left, 4), at)
    yield Scalar(MONEY, "spent, $", bought, row.spent / 1e6, at)
    if row.trials:
        share = 100 * max(0.0, 1 - bought / row.trials)
        yield Scalar("remaining budget", "jobs %", bought, round(share, 4), at)


def _final(run: RunDirectory) -> list[Scalar]:
    """The answer in single values, once there is an answer. A server keeps earlier values."""
    if run.report is None:
        return []
    values = [Scalar("Summary", "spent_usd", None, _spent(run) / 1e6)]
    best = run.report["recommended"]
    if best:
        values += [
            Scalar("Summary", "recommended_accuracy", None, best["accuracy"]),
            Scalar("Summary", "recommended_price_tag_usd", None, best["price_tag"]["micros"] / 1e6),
        ]
        if best["final"]:
            values.append(Scalar("Summary", "final_accuracy", None, best["final"]["accuracy"]))
    return values


def _plots(run: RunDirectory, rows: list[dict[str, Any]]) -> list[Plot]:
    if not run.rows:
        return []
    answer = [Plot("Answer", "in words", answer_table(run.report))] if run.report else []
    return [
        *answer,
        Plot("Optimization Objective", OBJECTIVE, figures.objective(run)),
        Plot("Accuracy against money", "front", figures.pareto(run)),
        Plot("Spend against incumbent", "best so far", figures.incumbent(run)),
        Plot("Marginal dollar", "points per further dollar", figures.marginal(run)),
        Plot("Parallel Coordinates", "", figures.parallel(run)),
        Plot("summary", "job", figures.summary(rows)),
    ]


def summary_rows(run: RunDirectory, links: Links) -> list[dict[str, Any]]:
    """Every evaluation as a row. The last row of a plan shows its roles in the answer."""
    last = {row.outcome.plan.key: row.number for row in run.rows}
    return [_summary_row(row, run, links, last) for row in run.rows]


def _summary_row(
    row: TrialRow, run: RunDirectory, links: Links, last: Mapping[str, int]
) -> dict[str, Any]:
    outcome, key = row.outcome, row.outcome.plan.key
    latest = last[key] == row.number
    said = [
        *(["bought"] if row.version else ["owned"]),
        *(run.roles.get(key, ()) if latest else ()),
    ]
    page = links.get(key)
    return {
        "task id": f'<a href="{page}">{key}</a>' if page else key,
        "objective": outcome.accuracy,
        "iteration": row.number,
        **knobs(outcome),
        "95 %": f"{outcome.low:.4f} to {outcome.high:.4f}",
        "price tag, $": outcome.price_tag.exact(),
        "paid, $": Money(row.paid).exact() if row.version else "",
        "minutes": outcome.minutes,
        "status": ", ".join(said),
    }


def knobs(outcome: Outcome) -> dict[str, Any]:
    """A plan's parameters, as a trial's task holds them."""
    plan = outcome.plan
    parameters = {
        "General/price": plan.price.exact(),
        "General/overlap": plan.overlap,
        "General/controls": plan.controls,
        "General/tasks": plan.tasks,
        "General/exam": plan.exam,
    }
    if plan.dynamic is not None:
        parameters["General/dynamic_overlap"] = str(plan.dynamic)
    if plan.prelabel:
        parameters["General/prelabel"] = True
    if plan.group:
        parameters["General/group"] = plan.group
    if outcome.view is not None:
        parameters["General/view"] = outcome.view
    return parameters
