"""The answer's model on the final images, class by class, and where it errs most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hpo.answer.plan_in_words import counted
from hpo.answer.sections.delivered import delivered
from hpo.answer.sections.final import state_key
from hpo.answer.sections.section import Findings, Report, Section

_CONFUSIONS = 3
_MOST_CLASSES = 6  # of a matrix in lines of a terminal


def _keys(findings: Findings) -> Sequence[str]:
    """The recommended plan's; what a study delivers was evaluated when it was made."""
    is_due = findings.best is not None and findings.has_stopped and delivered(findings) is None
    return [state_key(findings.best, findings.own)] if is_due and findings.best else []


def _measure(findings: Findings, key: str) -> Any:
    from hpo.trial.evaluate import fit_plan
    from hpo.trial.evaluation import evaluation

    assert findings.best is not None  # noqa: S101 - else there is no key
    return evaluation(fit_plan(findings.best.plan, findings.world), findings.world)


def _tell(findings: Findings, report: Report) -> Report:
    if (made := delivered(findings)) is not None:
        return {**report, "evaluation": made.get("evaluation")}
    if findings.best is None or not findings.has_stopped:
        return {**report, "evaluation": None}
    kept = findings.kept(EVALUATION.name)
    return {**report, "evaluation": kept.get(state_key(findings.best, findings.own))}


def _sentences(report: Mapping[str, Any]) -> list[str]:
    told = report.get("evaluation")  # reports of earlier versions have none
    return evaluation_lines(told) if told else []


def evaluation_lines(told: Mapping[str, Any]) -> list[str]:
    """Recalls, the commonest confusions and, of few classes, the matrix."""
    rows = told["per_class"]
    names = [row["class"] for row in rows]
    recalls = ", ".join(
        f"{row['class']}: {100 * row['recall']:.0f} % of {row['images']}"
        for row in rows
        if row["recall"] is not None
    )
    lines = [
        f"Recall on {counted(told['images'], 'final image')}: {recalls}. Brier score "
        f"{told['brier']:.3f}."
    ]
    pairs = [
        (images, true, said)
        for true, row in enumerate(told["confusion"])
        for said, images in enumerate(row)
        if images and said != true
    ]
    commonest = sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))[:_CONFUSIONS]
    if commonest:
        taken = ", ".join(f"{names[t]} for {names[s]} ({n})" for n, t, s in commonest)
        lines.append(f"Taken for another most often: {taken}.")
    lines += _matrix(names, told["confusion"]) if len(names) <= _MOST_CLASSES else []
    return [*lines, *_aggregator(told.get("aggregator"))]


def _aggregator(told: Mapping[str, Any] | None) -> list[str]:
    """Which aggregator made the labels, where the study chose it."""
    if told is None:
        return []
    if not told["answers"]:
        return [f"Aggregation: {told['chosen']}. No image has two answers by which to choose."]
    fits = ", ".join(f"{name} {fit:.3f}" for name, fit in told["fits"].items())
    answers = counted(told["answers"], "answer")
    return [
        f"Aggregation: {told['chosen']}, by the log-likelihood of {answers} that were left out "
        f"once: {fits} each."
    ]


def _matrix(names: Sequence[str], confusion: Sequence[Sequence[int]]) -> list[str]:
    short = [name if len(name) <= 12 else f"{name[:11]}…" for name in names]
    width = max(len(name) for name in ("true", *short))
    columns = [[name, *(str(row[at]) for row in confusion)] for at, name in enumerate(short)]
    padded = [[cell.rjust(max(map(len, column))) for cell in column] for column in columns]
    heads = [head.ljust(width) for head in ("true", *short)]
    rows = zip(heads, *padded, strict=True)
    return [f"  {'  '.join(row)}" for row in rows]


EVALUATION = Section("evaluation", "", _keys, _measure, _tell, _sentences)
