"""`labelworth ask`: the price of an accuracy, and what some dollars or some images give."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from hpo.cli.console import print_json, print_lines
from hpo.cli.flags import Commands, add_command, add_json, add_run_dir
from hpo.settings.exit_codes import DONE

if TYPE_CHECKING:
    from hpo.answer.advice.advisor import Advisor


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "ask", "what an accuracy costs, or what money or images give")
    add_run_dir(parser)
    words = "what does it cost: dollars with a 95 %% interval"
    parser.add_argument("--accuracy", metavar="ACCURACY", help=words)
    parser.add_argument("--dollars", metavar="DOLLARS", help="what is the best plan for this money")
    words = "what to buy for this many images in all"
    parser.add_argument("--images", metavar="N", help=words)
    add_json(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Answer from what a study has measured; nothing is bought or written."""
    from budget.errors import InputError
    from hpo.answer.report import question
    from hpo.answer.sections.delivered import merged_sentences
    from hpo.settings import parsing
    from hpo.settings.stored_answer import read_report
    from hpo.study.study import open_study

    accuracy, dollars, images = arguments.accuracy, arguments.dollars, arguments.images
    if accuracy is None and dollars is None and images is None:
        raise InputError("ask: no question; give --accuracy, --dollars or --images")
    wanted = {
        "accuracy": None if accuracy is None else parsing.target(accuracy, "--accuracy"),
        "dollars": None if dollars is None else parsing.budget(dollars, "--dollars"),
        "images": None if images is None else parsing.whole(1)(images, "--images"),
    }
    study = open_study(arguments.folder)
    try:
        answers = answers_to(study.advisor(), wanted)
        asked, share = question(study.world), study.world.config.plan_share
    finally:
        study.close()
    report = read_report(arguments.folder)
    if arguments.json:
        print_json(answers)
    else:
        print_lines(
            [
                *_sentences(answers, asked, float(share)),
                *(merged_sentences(report) if report else []),
            ]
        )
    return DONE


def answers_to(advisor: Advisor, wanted: dict[str, Any]) -> dict[str, Any]:
    """The answers to the questions that were asked, as JSON types.

    Args:
        advisor: of the study.
        wanted: "accuracy", "dollars" and "images", each None where it was not asked for. Accuracy
            and dollars are asked of that many images, or of the study's pool.

    Raises:
        InputError: no plan of the study was evaluated.
    """
    from dataclasses import replace

    from budget.errors import InputError
    from hpo.answer.advice.advisor import campaign_to_plain, estimate_to_plain, price_to_plain

    estimates = advisor.estimates
    if not estimates.measured:
        raise InputError(
            "ask: the study has evaluated no plan, so that it can say nothing; run it, with a "
            "larger --budget where it has ended"
        )
    answers: dict[str, Any] = {"images": None, "accuracy": None, "dollars": None}
    if wanted["images"] is not None:
        config = replace(estimates.world.config, pool_size=wanted["images"])
        advisor = replace(advisor, estimates=estimates.under(config))
        answers["images"] = campaign_to_plain(advisor.for_images)
    if wanted["accuracy"] is not None:
        answers["accuracy"] = price_to_plain(advisor.price_of(wanted["accuracy"]))
    if wanted["dollars"] is not None:
        best = advisor.best_for(wanted["dollars"])
        answers["dollars"] = {
            "dollars": wanted["dollars"].to_json(),
            "limit": None if advisor.limit is None else advisor.limit.to_json(),
            "chosen": None if best is None else estimate_to_plain(best),
        }
    return answers


def _sentences(answers: dict[str, Any], question: dict[str, Any], share: float) -> list[str]:
    from budget.money import Money
    from hpo.answer.plan_in_words import counted, told_plan_in_words
    from hpo.answer.sentences import cents, expected
    from hpo.answer.summary import beyond_line, target_line

    report: dict[str, Any] = {"question": question, "answer": {"chosen": None}}
    lines = []
    if (made := answers["images"]) is not None:
        images, chosen = counted(made["images"], "image"), made["chosen"]
        if chosen is None:
            lines.append(f"No plan for {images} keeps the deadline.")
        else:
            price, plan = cents(chosen["price_tag"]), told_plan_in_words(chosen["plan"])
            gives = expected(report, chosen)
            lines.append(f"For {images} spend about {price} on {plan}: expect {gives}.")
        if made["answerable"] < made["images"]:
            lines.append(beyond_line(made["answerable"]))
    if (target := answers["accuracy"]) is not None:
        lines.append(target_line(report, target))
    if (money := answers["dollars"]) is not None:
        most, chosen = cents(money["dollars"]), money["chosen"]
        if chosen is None:
            lines.append(f"For {most} no plan within the limits can be bought.")
        else:
            lines.append(
                f"Up to {most} the best plan is {told_plan_in_words(chosen['plan'])} for "
                f"{cents(chosen['price_tag'])}: expect {expected(report, chosen)}."
            )
        limit = money["limit"] and Money.from_json(money["limit"])
        if limit and limit < Money.from_json(money["dollars"]):
            part = "its budget" if share == 1 else f"{100 * share:.4g} % of its budget"
            lines.append(f"No plan of this study may cost more than {limit.cents()}, {part}.")
    return lines
