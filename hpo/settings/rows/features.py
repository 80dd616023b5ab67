"""Settings of the images' features.

`--help` waits for what is imported here: nothing heavy, not even dataclasses.
"""

from __future__ import annotations

from hpo.settings.parsing import optional, text, whole
from hpo.settings.setting import Setting

FEATURES = (
    Setting(
        "backbone",
        text,
        "auto",
        "NAME",
        "model",
        "auto, pixels, patch, a timm model's name or local-dir:FOLDER",
    ),
    Setting(
        "backbone_file",
        optional(text),
        None,
        "FILE",
        "model",
        "the backbone's weights, a .safetensors file",
    ),
    Setting(
        "image_size",
        optional(whole(16, 4096)),
        None,
        "N",
        "model",
        "side at which a timm model sees the images",
        "pixels",
        "the model's own; 128 for photos of at most 64 pixels",
    ),
)
