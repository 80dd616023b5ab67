"""A checkpoint from elsewhere as a safetensors file of one named model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from budget.errors import InputError
from budget.files import write_whole
from training.weights.files import Made, file_hash, read_checkpoint, weights_bytes
from training.weights.fitting import renamed
from training.weights.names import architecture_of, check_name, create
from training.weights.variants import Checked, check_variant


@dataclass(frozen=True, slots=True)
class Converted:
    """A file that was made of another one.

    Attributes:
        path: the new file. hash: its hex blake2b.
        renamed: tensors that the file calls otherwise than the model does.
        checked: the variant that it was held against.
    """

    path: Path
    hash: str
    renamed: int
    checked: Checked


def convert(file: Path, name: str, to: Path | None = None) -> Converted:
    """Write the weights of a file under the names of a timm model, held against its variants.

    Args:
        file: a PyTorch checkpoint of plain tensors, or a safetensors file.
        name: timm name, with the tag of its weights where their normalisations differ.
        to: the file to write; None for MODEL-HASH.safetensors beside the given file.

    Raises:
        InputError: the file cannot be read, does not fit the model, or fits another variant
            clearly better; or the new file cannot be written.
    """
    check_name(name)
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    if to is not None and to.suffix != ".safetensors":
        raise InputError(f"{to}: name a file that ends in .safetensors")
    given = read_checkpoint(file)
    model = create(architecture_of(name), num_classes=0)
    state = renamed(given, model, file.name, name)
    checked = check_variant(name, state, file.name)
    variant = checked.variant
    of = file_hash(file)
    made = Made(variant.model, variant.mean, variant.std, variant.size, of)
    path = to or file.with_name(f"{name}-{of[:8]}.safetensors")
    if path.resolve() == file.resolve():
        raise InputError(f"{path}: the new file would take the place of the given one")
    try:
        write_whole(path, weights_bytes(state, made))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    others = sum(key not in given for key in state)
    return Converted(path, file_hash(path), others, checked)
