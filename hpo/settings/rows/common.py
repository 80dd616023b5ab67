"""The settings that people use, each with an example: what the help shows without being asked.

Nothing is imported here: --help does not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping

COMMON: Mapping[str, tuple[str, str]] = {
    "budget": ("--budget 20", "hard cap of money in dollars, fee included"),
    "data": ("--data photos", "the images: a folder, folder:DIR or npz:FILE"),
    "labels": ("--labels known.csv", "known labels: a table with the columns image and label"),
    "study": ("--study mine", "name of the study and its folder"),
    "goal": (
        "--goal plan",
        "the best plan for a campaign elsewhere, instead of labels and a model",
    ),
    "target": ("--target 0.92", "stop when a plan reaches this accuracy, recommend the cheapest"),
    "pool_size": ("--pool-size 5000", "images there are in all, to price and forecast for"),
    "price": ("--price 0.001,0.002", "prices per task to choose from"),
    "overlap": ("--overlap 1,2,3", "answers per image to choose from"),
    "max_minutes": ("--max-minutes 60", "longest campaign, or none for no deadline"),
    "market": ("--market toloka", "who answers: a simulated crowd, recorded answers, real people"),
    "seed": ("--seed 7", "another draw of the same study"),
}
"""By the setting's name: an example of its flag, and what it does in few words."""
