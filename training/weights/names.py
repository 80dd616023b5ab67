"""Names of timm's models: known or not, their settings, and their tensors without memory."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from budget.errors import InputError


def import_timm() -> Any:
    """The timm library.

    Raises:
        InputError: it cannot be imported.
    """
    try:
        import timm
        import timm.data
    except (ImportError, RuntimeError) as error:  # RuntimeError: torchvision without its operators
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"timm cannot be imported ({first}): install torch and torchvision of one release from "
            "one index, or take --backbone patch"
        ) from None
    return timm


def check_name(name: str) -> None:
    """Refuse a name that timm does not know; the message lists the nearest names.

    Raises:
        InputError: timm has no such model.
    """
    timm = import_timm()
    architectures = timm.list_models()
    if name in architectures:
        return
    tagged = timm.list_models(pretrained=True)
    if name in tagged:
        return
    names = [*architectures, *tagged, "pixels", "patch", "auto"]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f": did you mean {', '.join(near)}?" if near else "; see timm.list_models()"
    raise InputError(f"unknown backbone {name!r}{hint}")


def architecture_of(name: str) -> str:
    """A model's name without the tag of its weights."""
    return name.partition(".")[0]


def tags_of(name: str) -> list[str]:
    """Names with tag of all weights that timm lists for an architecture."""
    architecture = architecture_of(name)
    listed = import_timm().list_models(f"{architecture}.*", pretrained=True)
    return [each for each in listed if architecture_of(each) == architecture]


def create(name: str, **settings: Any) -> Any:
    """A model with random weights, in evaluation mode.

    Args:
        name: timm name.
        settings: of timm's `create_model`.
    """
    return import_timm().create_model(name, pretrained=False, **settings).eval()


def classifier_prefixes(model: Any) -> tuple[str, ...]:
    """Key prefixes of the layers that num_classes=0 leaves out of a model."""
    named = model.pretrained_cfg.get("classifier") or ()
    names: Iterable[str] = (named,) if isinstance(named, str) else named
    return tuple(f"{name}." for name in names)
