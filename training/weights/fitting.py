"""Tensors of a file under the names of a model: all of them, or an error.

When the keys of a checkpoint do not match, timm only warns and leaves random weights, which are
worse than raw pixels. Here every weight of the model comes from the file, with equal shape, and the
file holds nothing else except a classifier.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from budget.errors import InputError
from training.weights.files import State
from training.weights.names import classifier_prefixes

_COUNTER = "num_batches_tracked"
"""A counter of training steps, which evaluation does not read."""
_ROLES = ("weight", "bias", "running_mean", "running_var")


def exact(state: State, model: Any, file: str, name: str) -> State:
    """The file's tensors for a model that uses the same names.

    Args:
        state: the file's tensors.
        model: without its classifier.
        file: the file's name, for errors.
        name: the model's name, for errors.

    Returns:
        Every tensor of the model's state, in its order.

    Raises:
        InputError: a tensor is missing, has another shape, or is not the model's.
    """
    wanted = model.state_dict()
    for key, value in wanted.items():
        if key.endswith(_COUNTER):
            continue
        if key not in state:
            raise InputError(f"{file} does not fit {name}: {key} is missing")
        if state[key].shape != value.shape:
            raise InputError(
                f"{file} does not fit {name}: {key} is {tuple(state[key].shape)}, "
                f"expected {tuple(value.shape)}"
            )
    classifiers = classifier_prefixes(model)
    for key in state:
        if key not in wanted and not key.startswith(classifiers):
            raise InputError(f"{file} does not fit {name}: it also holds {key}")
    return {key: state.get(key, value) for key, value in wanted.items()}


def renamed(state: State, model: Any, file: str, name: str) -> State:
    """The file's tensors under the model's names, by shape and order where names differ.

    A tensor is taken for one of the model's when it stands at the same place, has the same shape
    and plays the same part: weight, bias, running mean or running variance. The file's last tensors
    may be a classifier.

    Args:
        state: the file's tensors, in its order.
        model: without its classifier.
        file: the file's name, for errors.
        name: the model's name, for errors.

    Returns:
        Every tensor of the model's state, in its order.

    Raises:
        InputError: the file does not fit; the message names the first difference.
    """
    wanted = _counted_out(model.state_dict())
    for names in (state, without_prefix(state)):
        if set(wanted) <= set(names):
            return exact(names, model, file, name)
    given = list(_counted_out(state).items())
    for place, (key, value) in enumerate(wanted.items()):
        if place >= len(given):
            raise InputError(f"{file} does not fit {name}: it holds no tensor for {key}")
        theirs, tensor = given[place]
        if tensor.shape != value.shape:
            raise InputError(
                f"{file} does not fit {name}: tensor {place + 1}, {theirs}, is "
                f"{tuple(tensor.shape)}, but {key} is {tuple(value.shape)}"
            )
        if _role(theirs) != _role(key):
            raise InputError(
                f"{file} does not fit {name}: tensor {place + 1}, {theirs}, stands where {key} is "
                "expected: the file's order is not the model's"
            )
    _check_rest(given[len(wanted) :], model, file, name)
    found = {key: tensor for key, (_, tensor) in zip(wanted, given, strict=False)}
    return {key: found.get(key, value) for key, value in model.state_dict().items()}


def without_prefix(state: State) -> State:
    """Tensors under names without the first words that all names share, such as "backbone."."""
    words = [key.split(".") for key in state]
    shared = 0
    while words and all(len(w) > shared + 1 and w[shared] == words[0][shared] for w in words):
        shared += 1
    return {".".join(w[shared:]): value for w, value in zip(words, state.values(), strict=True)}


def _counted_out(state: State) -> State:
    return {key: value for key, value in state.items() if not key.endswith(_COUNTER)}


def _role(key: str) -> str:
    """The part that a tensor plays in its layer; a name of another kind is a part of its own."""
    last = key.rpartition(".")[2]
    return last if last in _ROLES else f"other:{last}"


def _check_rest(rest: Iterable[tuple[str, Any]], model: Any, file: str, name: str) -> None:
    """Refuse further tensors, except the weight and bias of a linear classifier."""
    left, has_classifier = list(rest), bool(classifier_prefixes(model))
    roles = [(_role(key), tensor.ndim) for key, tensor in left]
    if left and not (has_classifier and roles in ([("weight", 2)], [("weight", 2), ("bias", 1)])):
        raise InputError(f"{file} does not fit {name}: it also holds {left[0][0]}")
