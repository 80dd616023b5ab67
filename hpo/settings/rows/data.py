"""Settings of the images: where they are, their labels and roles.

`--help` waits for what is imported here: nothing heavy, not even dataclasses.
"""

from __future__ import annotations

from hpo.settings import parsing
from hpo.settings.parsing import boolean, optional, text, whole
from hpo.settings.setting import Setting

DATA = (
    Setting(
        "data",
        parsing.data,
        "digits3",
        "DATA",
        "data",
        "a folder of images, npz:FILE (arrays x, y, or features, labels), digits3 or digits",
    ),
    Setting(
        "labels",
        optional(text),
        None,
        "FILE.csv",
        "data",
        "a folder's columns image,label[,role][,url][,group]",
        shown="labels.csv or metadata.csv in the folder, or its sub-folders",
    ),
    Setting(
        "roles",
        optional(parsing.role_shares),
        None,
        "P/C/V/F",
        "data",
        "percent of images for pool/control/validation/final, where no file gives roles",
        "percent",
        "about 55/3/20/22",
    ),
    Setting(
        "keep_classes",
        boolean,
        "off",
        "",
        "data",
        "go on with class names that look like slips of each other, each a class",
    ),
    Setting(
        "image_url_prefix",
        optional(parsing.url_prefix),
        None,
        "URL",
        "data",
        "the images' addresses: this and the image's name",
    ),
    Setting(
        "own_labels",
        optional(text),
        None,
        "FILE",
        "data",
        "answers bought elsewhere (task,annotator,label), owned for $0",
    ),
    Setting("skip_empty", boolean, "off", "", "data", "leave out recorded answers without a label"),
    Setting("seed", whole(0, 2**63 - 1), 0, "N", "data", "seed of everything random"),
    Setting(
        "few_labels_ok",
        boolean,
        "off",
        "",
        "data",
        "go on with fewer control, validation or final images than advised",
    ),
    Setting("skip_bad_images", boolean, "off", "", "data", "leave out images that cannot be used"),
)
