"""The words of the answer, a row each: what `labelworth explain` and the documentation say of them.

Nothing is imported here but the error: --help does not wait for it.
"""

from __future__ import annotations

from typing import NamedTuple

from budget.errors import InputError


class Term(NamedTuple):
    """One word of the answer.

    Attributes:
        name: the word.
        meaning: what it means, in short sentences.
        also: other words under which it is looked up.
    """

    name: str
    meaning: str
    also: tuple[str, ...] = ()


GLOSSARY = (
    Term(
        "plan",
        "What is bought: the number of images, answers per image, the price of a task, control "
        "tasks, and whether there is an exam. Its key, such as p0.001-k1-c0-n686-exam, names it "
        "to commands.",
        ("key",),
    ),
    Term(
        "overlap",
        "The number of answers to each image, each by another annotator. Under dynamic overlap an "
        "image gets further answers until its label is sure enough.",
        ("answers", "dynamic overlap"),
    ),
    Term(
        "control task",
        "A task whose answer is known, among the others. It is paid like them and shows which "
        "annotators are careless.",
        ("control", "controls", "golden task"),
    ),
    Term(
        "exam",
        "Tasks with known answers. An annotator must pass them before the first task of the plan.",
    ),
    Term(
        "price tag",
        "The expected cost of a plan: rewards and platform fee, also for answers that cannot be "
        "used.",
        ("cost",),
    ),
    Term(
        "cap",
        "The most money that a study may spend, platform fee included (--budget). The program "
        "never spends more.",
        ("budget", "left"),
    ),
    Term(
        "spent",
        "Money that was paid, platform fee included. Money is held for an order before it is "
        "placed; the part that is not paid becomes free again.",
        ("paid", "held", "hold", "reserved"),
    ),
    Term(
        "best label",
        "An image's most probable class by people's answers and a model together. The model has "
        "not learned the image's own label.",
        ("changed", "labels"),
    ),
    Term(
        "front",
        "The plans that no other evaluated plan beats in both price tag and estimate.",
        ("knee", "pareto front"),
    ),
    Term(
        "estimate",
        "The accuracy that a plan gives on average over purchases, from all measurements of the "
        "study. A single measurement may be lucky.",
        ("accuracy", "expected"),
    ),
    Term(
        "confirmed",
        "Measured once more: the study bought the recommended plan again from annotators that "
        "the search had not seen.",
        ("confirmation", "confirm"),
    ),
    Term(
        "interval",
        "The 95 % interval holds the true value in 95 of 100 cases. It is wide where little was "
        "measured.",
        ("95 % interval", "noise"),
    ),
)


def term_named(text: str) -> Term:
    """The term of a word, however it is written.

    Raises:
        InputError: the glossary does not have it; the terms are listed.
    """
    asked = " ".join(text.lower().replace("-", " ").replace("_", " ").split())
    for term in GLOSSARY:
        if asked in (term.name, f"{term.name}s", *term.also):
            return term
    names = ", ".join(term.name for term in GLOSSARY)
    raise InputError(f"{text!r} is not a term; the terms are {names}")


def glossary_table() -> str:
    """The glossary as Markdown."""
    rows = [f"| {term.name} | {term.meaning} |" for term in GLOSSARY]
    return "\n".join(["| term | meaning |", "|---|---|", *rows])
