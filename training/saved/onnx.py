"""A saved model as one ONNX graph: pixels in, calibrated probabilities out.

The graph takes images [n, h, w, c] of 8-bit pixels, resized to the model's side, and gives
probabilities [n, classes]. Pixels and patches are written out node by node; a timm backbone is
traced by torch.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from training import patches
from training.fit import Model
from training.saved.model import SavedModel

if TYPE_CHECKING:
    from training.encoder import Encoder

OPSET = 17
TOLERANCE = 1e-4
"""Largest difference of a probability that is taken for the same."""
_EXTRA = "pip install 'labelworth[onnx]'"


def onnx_bytes(saved: SavedModel, weights: Path | None = None) -> bytes:
    """A model as the content of an .onnx file.

    Args:
        saved: the model.
        weights: the weights file of its backbone, if it has one; None looks for it.

    Raises:
        InputError: the model takes no images, its weights are not at hand, or onnx is missing.
    """
    onnx = _imported("onnx")
    opened = saved.opened(weights)
    encoder = saved.encoder
    assert encoder is not None  # noqa: S101 - `opened` has refused a model without
    graph = _Graph(onnx)
    pixels = graph.node("Cast", ["images"], to=onnx.TensorProto.FLOAT)
    if encoder.backbone == "pixels":
        features = _pixels(graph, pixels, opened.shape)
    elif encoder.filters is not None:
        features = _patches(graph, pixels, encoder.filters)
    else:
        return _with_backbone(onnx, saved, encoder, weights)
    _head(graph, features, saved.model)
    return graph.content(saved, opened.shape)


def largest_difference(
    content: bytes, saved: SavedModel, weights: Path | None = None, images: int = 8
) -> float | None:
    """The largest difference of a probability between a graph, as onnxruntime runs it, and a model.

    Args:
        content: the graph.
        saved: the model.
        weights: as for `onnx_bytes`.
        images: number of random images to compare on.

    Returns:
        The difference; None without onnxruntime.
    """
    try:
        import onnxruntime
    except ImportError:
        return None
    opened = saved.opened(weights)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (images, *opened.shape), dtype=np.uint8)
    # Smooth images, too: noise alone never leaves the middle of the features.
    noise[::2] = noise[::2, :1, :1]
    noise[1::4] = np.sort(noise[1::4], axis=1)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {"images": noise})
    return float(np.abs(got - saved.model.predict(opened.encode(noise))).max())


def _imported(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError:
        raise InputError(f"{name} is not installed: {_EXTRA}") from None


class _Graph:
    """Nodes and constants, one after the other."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """Add a node; the name of its output."""
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, value: NDArray[Any] | float) -> str:
        """Add a constant, floats in single precision; its name."""
        array = np.asarray(value)
        array = array if array.dtype == np.int64 else array.astype(np.float32)
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def content(self, saved: SavedModel, shape: tuple[int, int, int]) -> bytes:
        """The whole graph as the content of a file."""
        helper, types = self.onnx.helper, self.onnx.TensorProto
        taken = helper.make_tensor_value_info("images", types.UINT8, ["n", *shape])
        given = helper.make_tensor_value_info(
            "probabilities", types.FLOAT, ["n", len(saved.classes)]
        )
        graph = helper.make_graph(self.nodes, "labelworth", [taken], [given], self.constants)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=9)
        return _named(self.onnx, model, saved)


def _named(onnx: Any, model: Any, saved: SavedModel) -> bytes:
    """The model with its classes among its properties, checked."""
    onnx.helper.set_model_props(model, {"classes": json.dumps(list(saved.classes))})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _pixels(graph: _Graph, pixels: str, shape: tuple[int, int, int]) -> str:
    flat = graph.constant(np.array([-1, int(np.prod(shape))], dtype=np.int64))
    scaled = graph.node("Div", [pixels, graph.constant(255.0)])
    return graph.node("Reshape", [scaled, flat])


def _patches(graph: _Graph, pixels: str, filters: patches.Filters) -> str:
    """As `patches.encode`: a convolution by unit kernels cuts the patches out."""
    planes = graph.node("Transpose", [pixels], perm=[0, 3, 1, 2])
    units = np.eye(patches.PIXELS).reshape(patches.PIXELS, 3, patches.PATCH, patches.PATCH)
    cut = graph.node("Conv", [planes, graph.constant(units)])
    windows = graph.node("Transpose", [cut], perm=[0, 2, 3, 1])
    mean = graph.node("ReduceMean", [windows], axes=[3], keepdims=1)
    centred = graph.node("Sub", [windows, mean])
    square = graph.node("Mul", [centred, centred])
    variance = graph.node("ReduceMean", [square], axes=[3], keepdims=1)
    spread = graph.node("Sqrt", [graph.node("Add", [variance, graph.constant(patches.CONTRAST)])])
    even = graph.node("Div", [centred, spread])
    shifted = graph.node("Sub", [even, graph.constant(filters.mean)])
    response = graph.node("MatMul", [shifted, graph.constant(filters.project)])
    both = graph.node("Concat", [response, graph.node("Neg", [response])], axis=3)
    threshold = graph.constant(patches.THRESHOLD)
    kept = graph.node("Relu", [graph.node("Sub", [both, threshold])])
    half, end = (patches.SIDE - patches.PATCH + 2) // 2, patches.SIDE
    quarters = []
    for top, bottom in ((0, half), (half, end)):
        for left, right in ((0, half), (half, end)):
            bounds = ([top, left], [bottom, right], [1, 2])
            ends = [graph.constant(np.array(bound, dtype=np.int64)) for bound in bounds]
            part = graph.node("Slice", [kept, *ends])
            quarters.append(graph.node("ReduceMean", [part], axes=[1, 2], keepdims=0))
    return graph.node("Concat", quarters, axis=1)


def _head(graph: _Graph, features: str, model: Model) -> None:
    """Standardisation, logits, temperature, softmax and floor."""
    centred = graph.node("Sub", [features, graph.constant(model.mean)])
    scaled = graph.node("Div", [centred, graph.constant(model.scale)])
    temperature = model.temperature or 1.0
    product = graph.node("MatMul", [scaled, graph.constant(model.weights[:-1] / temperature)])
    logits = graph.node("Add", [product, graph.constant(model.weights[-1] / temperature)])
    p = graph.node("Softmax", [logits], axis=1)
    classes = model.weights.shape[1]
    most = graph.node("Mul", [p, graph.constant(1 - model.floor)])
    graph.node("Add", [most, graph.constant(model.floor / classes)], "probabilities")


def _with_backbone(onnx: Any, saved: SavedModel, encoder: Encoder, weights: Path | None) -> bytes:
    """Backbone and head as one torch module, traced."""
    import torch

    backbone = encoder.backbone_at(weights)
    model, temperature = saved.model, saved.model.temperature or 1.0
    net = backbone.model.cpu()

    def constant(value: Any) -> torch.Tensor:
        return torch.tensor(np.asarray(value), dtype=torch.float32)

    mean, std = constant(backbone.mean).view(3, 1, 1), constant(backbone.std).view(3, 1, 1)
    shift, scale = constant(model.mean), constant(model.scale)
    w, b = constant(model.weights[:-1] / temperature), constant(model.weights[-1] / temperature)

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            x = images.permute(0, 3, 1, 2).float() / 255
            features = self.net((x - mean) / std)
            p = torch.softmax(((features - shift) / scale) @ w + b, 1)
            return p * (1 - model.floor) + model.floor / w.shape[1]

    example = torch.zeros(2, backbone.size, backbone.size, 3, dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # The tracer warns that it is the older of two, and of shapes that it takes as given.
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            Whole().eval(),
            (example,),
            str(path),
            input_names=["images"],
            output_names=["probabilities"],
            dynamic_axes={"images": {0: "n"}, "probabilities": {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )
        return _named(onnx, onnx.load(path), saved)
