"""A purchase or a member of the front as a task of type training, with its model."""

from __future__ import annotations

import json
from typing import Any

from budget.money import Money
from hpo.answer.plan_in_words import plan_in_words
from hpo.tracking.clearml.mirror.controller import SERIES, TITLE, knobs
from hpo.tracking.clearml.mirror.pages.story import trial_console
from hpo.tracking.clearml.mirror.pages.trial_figures import in_condition, trial_plots
from hpo.tracking.clearml.mirror.run_directory import Child, RunDirectory
from hpo.tracking.clearml.server.records import ModelFile, Parts, Record, Scalar, digest, epoch_ms
from hpo.tracking.clearml.server.writer import path_of
from hpo.trial.outcome import Outcome
from hpo.trial.versions.label_versions import model_file


def trial_key(run: RunDirectory, child: Child) -> str:
    """Our id of a child's task."""
    return f"trial {run.id} {child.version}"


def trial_record(
    run: RunDirectory, child: Child, project: str, controller: str, dataset: str, images: str
) -> Record:
    """A child's task.

    Args:
        run: the run directory's content.
        child: the purchase or member of the front.
        project: its project's name.
        controller: the controller's id.
        dataset: the id of its label version's dataset.
        images: the id of the images' dataset; "" without such a dataset.
    """
    outcome, roles = child.outcome, run.roles.get(child.key, ())
    facts = (trial_key(run, child), controller, dataset, images, roles, child.paid)
    return Record(
        key=trial_key(run, child),
        digest=digest(*facts, repr(outcome), repr(in_condition(run, child))),
        name=f"{run.study}: {child.key}",
        kind="training",
        project=project,
        parent=controller,
        tags=list(roles) or ["bought" if child.number else "owned"],
        system_tags=[],
        comment=plan_in_words(outcome.plan),
        params={
            "General": {name.removeprefix("General/"): v for name, v in knobs(outcome).items()},
            "Datasets": {"labels": dataset, **({"images": images} if images else {})},
            "properties": _properties(child),
        },
        status="completed",
        reason="evaluated",
        script=run.program,
        build=lambda task: _parts(run, child, project),
        adopt=child.task,
    )


def _properties(child: Child) -> dict[str, Any]:
    return {
        "label_version": child.version,
        "price_tag_usd": child.outcome.price_tag.exact(),
        "paid_usd": Money(child.paid).exact(),
        "bought": str(bool(child.number)),
        "evaluated": child.at,
    }


def _parts(run: RunDirectory, child: Child, project: str) -> Parts:
    outcome = child.outcome
    values = {
        "accuracy": outcome.accuracy,
        "accuracy_low": outcome.low,
        "accuracy_high": outcome.high,
        "macro_f1": outcome.macro_f1,
        "ece": outcome.ece,
        "log_loss": outcome.log_loss,
        "cost_usd": outcome.price_tag.dollars,
        "paid_usd": child.paid / 1e6,
        "minutes": outcome.minutes,
        "labels": outcome.labels,
        "answers": outcome.answers,
    }
    return Parts(
        configuration={"Outcome": (json.dumps(_plain(outcome), indent=1), "json", "as measured")},
        scalars=[
            Scalar(TITLE, SERIES, 0, outcome.accuracy),
            *(
                Scalar("Summary", name, None, value)
                for name, value in values.items()
                if value is not None
            ),
        ],
        plots=trial_plots(run, child),
        lines=trial_console(run, child),
        model=_model(run, child, project),
        at_ms=epoch_ms(child.at),
    )


def _plain(outcome: Outcome) -> dict[str, Any]:
    from hpo.trial.outcome import outcome_to_plain

    return outcome_to_plain(outcome)


def _model(run: RunDirectory, child: Child, project: str) -> ModelFile | None:
    """The head trained on a child's labels. Its address is the same in every publication."""
    path = model_file(run.folder, child.version)
    if not path.exists():
        return None
    outcome, roles = child.outcome, run.roles.get(child.key, ())
    facts = {
        "plan": child.key,
        "accuracy": f"{outcome.accuracy:.6f}",  # of equal length: the server sorts text
        "cost_usd": f"{outcome.price_tag.dollars:.6f}",
        "labels": str(outcome.labels),
        "label_version": child.version,
    }
    return ModelFile(
        f"head {child.key}",
        path,
        f"{path_of(project)}/models/{run.id[:8]}-{child.version}{path.suffix}",
        {name: code for code, name in enumerate(run.about["question"]["classes"])},
        ["labelworth", *roles],
        facts,
        f"Trained on {outcome.labels} labels of plan {child.key}: {plan_in_words(outcome.plan)}",
    )
