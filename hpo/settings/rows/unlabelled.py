"""Settings of images whose labels are not known."""

from __future__ import annotations

from hpo.settings.parsing import class_names, one_of, optional, whole
from hpo.settings.setting import Setting

DRAWN, LIKELIEST = STAND_INS = ("drawn", "likeliest")
"""How a simulated crowd's labels are made of a model's predictions."""

UNLABELLED = (
    Setting(
        "classes",
        optional(class_names),
        None,
        "A,B,C",
        "data",
        "names of the classes, such as cat,dog; images then need no known label at all",
        shown="those of the known labels",
    ),
    Setting(
        "test_images",
        whole(0, 100_000),
        400,
        "N",
        "data",
        "images to buy labels of to measure models by, where too few are known; 0 for none",
        "images",
    ),
    Setting(
        "test_overlap", whole(1, 20), 3, "N", "data", "answers to each of these images", "answers"
    ),
    Setting(
        "pool_labels",
        one_of(*STAND_INS),
        DRAWN,
        "NAME",
        "data",
        "what simulated people take for true where no label is known: a class drawn from the "
        "predictions of a model of the known labels, or its likeliest class",
    ),
)
