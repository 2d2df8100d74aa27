"""Networks for calibrating a board: small ones of the kinds that devices run, with random weights, since only their
time matters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

from edgekit.arrays import Array

_OPSET = 20
_IR = 10
_SIX = np.array(6.0, np.float32)
_ZERO = np.array(0.0, np.float32)


class _Graph:
    """A graph under construction. Images have axes (batch, channels, height, width)."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, values: ArrayLike) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def drawn(self, *shape: int, inputs: int) -> str:
        """Random weights that preserve the magnitude of activations (He et al., arXiv 1502.01852, section 2.2)."""
        return self.constant(self.random.normal(0, (2 / inputs) ** 0.5, shape).astype(np.float32))

    def relu6(self, x: str) -> str:
        return self.node("Clip", x, self.constant(_ZERO), self.constant(_SIX))

    def conv(self, x: str, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, group: int = 1) -> str:
        weights = self.drawn(outputs, inputs // group, kernel, kernel, inputs=inputs // group * kernel**2)
        bias = self.constant(np.zeros(outputs, np.float32))
        around = [kernel // 2] * 4
        return self.node("Conv", x, weights, bias, pads=around, strides=[stride] * 2, group=group)

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        product = self.node("MatMul", x, self.drawn(inputs, outputs, inputs=inputs))
        return self.node("Add", product, self.constant(np.zeros(outputs, np.float32)))

    def classes(self, x: str, channels: int) -> str:
        """A classifier head with ten classes on images."""
        pooled = self.node("Flatten", self.node("GlobalAveragePool", x), axis=1)
        return self.dense(pooled, channels, 10)


def _plain(graph: _Graph, x: str) -> str:
    """Simonyan and Zisserman, arXiv 1409.1556."""
    inputs = 3
    for outputs in (16, 32, 64):
        for _ in range(2):
            x, inputs = graph.node("Relu", graph.conv(x, inputs, outputs)), outputs
        x = graph.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return graph.classes(x, inputs)


def _residual(graph: _Graph, x: str) -> str:
    """He et al., arXiv 1512.03385."""
    x, inputs = graph.node("Relu", graph.conv(x, 3, 16)), 16
    for outputs, stride in ((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        inner = graph.conv(graph.node("Relu", graph.conv(x, inputs, outputs, stride=stride)), outputs, outputs)
        beside = x if stride == 1 and inputs == outputs else graph.conv(x, inputs, outputs, kernel=1, stride=stride)
        x, inputs = graph.node("Relu", graph.node("Add", inner, beside)), outputs
    return graph.classes(x, inputs)


def _separable(graph: _Graph, x: str) -> str:
    """Howard et al., arXiv 1704.04861."""
    x, inputs = graph.node("Relu", graph.conv(x, 3, 16, stride=2)), 16
    for outputs, stride in ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        deep = graph.node("Relu", graph.conv(x, inputs, inputs, stride=stride, group=inputs))
        x, inputs = graph.node("Relu", graph.conv(deep, inputs, outputs, kernel=1)), outputs
    return graph.classes(x, inputs)


def _inverted_residual(graph: _Graph, x: str) -> str:
    """Sandler et al., arXiv 1801.04381."""
    x, inputs = graph.relu6(graph.conv(x, 3, 16, stride=2)), 16
    for outputs, stride in ((16, 1), (24, 2), (24, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        wide = 6 * inputs
        deep = graph.relu6(graph.conv(graph.relu6(graph.conv(x, inputs, wide, 1)), wide, wide, 3, stride, wide))
        narrow = graph.conv(deep, wide, outputs, kernel=1)
        x = graph.node("Add", x, narrow) if stride == 1 and inputs == outputs else narrow
        inputs = outputs
    return graph.classes(x, inputs)


def _gated_block(graph: _Graph, x: str) -> str:
    """With squeeze and excitation, and hard swishes: Howard et al., arXiv 1905.02244."""
    x, inputs = graph.node("HardSwish", graph.conv(x, 3, 16, stride=2)), 16
    for outputs, stride in ((24, 2), (24, 1), (40, 2), (40, 1), (80, 2)):
        wide = 4 * inputs
        deep = graph.node("HardSwish", graph.conv(x, inputs, wide, kernel=1))
        deep = graph.node("HardSwish", graph.conv(deep, wide, wide, kernel=5, stride=stride, group=wide))
        squeezed = graph.conv(graph.node("GlobalAveragePool", deep), wide, wide // 4, kernel=1)
        gate = graph.conv(graph.node("Relu", squeezed), wide // 4, wide, kernel=1)
        deep = graph.node("Mul", deep, graph.node("HardSigmoid", gate, alpha=1 / 6, beta=0.5))
        x, inputs = graph.conv(deep, wide, outputs, kernel=1), outputs
    return graph.classes(x, inputs)


def _fire(graph: _Graph, x: str) -> str:
    """Iandola et al., arXiv 1602.07360."""
    x, inputs = graph.node("Relu", graph.conv(x, 3, 32, stride=2)), 32
    for narrow, stride in ((8, 1), (8, 2), (16, 1), (16, 2), (24, 1), (32, 1)):
        if stride == 2:
            x = graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
        small = graph.node("Relu", graph.conv(x, inputs, narrow, kernel=1))
        both = [graph.node("Relu", graph.conv(small, narrow, 4 * narrow, kernel)) for kernel in (1, 3)]
        x, inputs = graph.node("Concat", *both, axis=1), 8 * narrow
    return graph.classes(x, inputs)


def _shuffle_block(graph: _Graph, x: str) -> str:
    """Zhang et al., arXiv 1707.01083, with three groups."""
    x, inputs, side = graph.node("Relu", graph.conv(x, 3, 24, stride=2)), 24, 40
    for outputs, stride in ((48, 2), (48, 1), (48, 1), (96, 2), (96, 1)):
        inner = graph.node("Relu", graph.conv(x, inputs, outputs, kernel=1, group=3))
        apart = graph.node("Reshape", inner, graph.constant(np.array([-1, 3, outputs // 3, side, side])))
        mixed = graph.node("Transpose", apart, perm=[0, 2, 1, 3, 4])
        inner = graph.node("Reshape", mixed, graph.constant(np.array([-1, outputs, side, side])))
        side //= stride
        inner = graph.conv(inner, outputs, outputs, stride=stride, group=outputs)
        inner = graph.conv(inner, outputs, outputs, kernel=1, group=3)
        x = graph.node("Relu", graph.node("Add", x, inner) if stride == 1 else inner)
        inputs = outputs
    return graph.classes(x, inputs)


def _dense(graph: _Graph, x: str) -> str:
    x = graph.node("Flatten", x, axis=1)
    for inputs, outputs in ((3 * 16 * 16, 1024), (1024, 512), (512, 256)):
        x = graph.node("Relu", graph.dense(x, inputs, outputs))
    return graph.dense(x, 256, 10)


def _attending(graph: _Graph, x: str) -> str:
    """Two pre-norm layers of Vaswani et al., arXiv 1706.03762, on patches of 8 x 8: 64 tokens with 128 features."""
    width, heads, tokens = 128, 4, 64
    weights = graph.drawn(width, 3, 8, 8, inputs=3 * 8 * 8)
    patches = graph.node("Conv", x, weights, kernel_shape=[8, 8], strides=[8, 8])
    x = graph.node("Reshape", patches, graph.constant(np.array([-1, width, tokens])))
    x = graph.node("Transpose", x, perm=[0, 2, 1])

    def layer_norm(of: str) -> str:
        ones, zeros = graph.constant(np.ones(width, np.float32)), graph.constant(np.zeros(width, np.float32))
        return graph.node("LayerNormalization", of, ones, zeros, axis=-1)

    def by_head(of: str, perm: Sequence[int]) -> str:
        split = graph.constant(np.array([-1, tokens, heads, width // heads]))
        return graph.node("Transpose", graph.node("Reshape", graph.dense(of, width, width), split), perm=perm)

    for _ in range(2):
        own = layer_norm(x)
        asked, known = by_head(own, [0, 2, 1, 3]), by_head(own, [0, 2, 3, 1])
        scale = graph.constant(np.array((width // heads) ** -0.5, np.float32))
        shares = graph.node("Softmax", graph.node("Mul", graph.node("MatMul", asked, known), scale), axis=-1)
        seen = graph.node("MatMul", shares, by_head(own, [0, 2, 1, 3]))
        seen = graph.node("Transpose", seen, perm=[0, 2, 1, 3])
        seen = graph.node("Reshape", seen, graph.constant(np.array([-1, tokens, width])))
        x = graph.node("Add", x, graph.dense(seen, width, width))
        inner = graph.node("Gelu", graph.dense(layer_norm(x), width, 4 * width))
        x = graph.node("Add", x, graph.dense(inner, 4 * width, width))
    pooled = graph.node("ReduceMean", layer_norm(x), graph.constant(np.array([1])), keepdims=0)
    return graph.dense(pooled, width, 10)


def _segmenting(graph: _Graph, x: str) -> str:
    """An encoder and decoder: Ronneberger et al., arXiv 1505.04597."""
    first = graph.node("Relu", graph.conv(x, 3, 16))
    second = graph.node("Relu", graph.conv(first, 16, 32, stride=2))
    third = graph.node("Relu", graph.conv(second, 32, 64, stride=2))
    for beside, inputs, outputs in ((second, 64, 32), (first, 32, 16)):
        scales = graph.constant(np.array([1, 1, 2, 2], np.float32))
        nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        wide = graph.node("Resize", third, "", scales, **nearest)
        joined = graph.node("Concat", wide, beside, axis=1)
        third = graph.node("Relu", graph.conv(joined, inputs + outputs, outputs))
    return graph.conv(third, 16, 4, kernel=1)


_KINDS: dict[str, Callable[[_Graph, str], str]] = {
    "plain": _plain,
    "residual": _residual,
    "separable": _separable,
    "inverted": _inverted_residual,
    "gated": _gated_block,
    "fire": _fire,
    "shuffled": _shuffle_block,
    "dense": _dense,
    "attending": _attending,
    "segmenting": _segmenting,
}
_SIDES = {
    "plain": (16, 64),
    "residual": (48, 128),
    "separable": (32, 96, 224),
    "inverted": (96, 224),
    "gated": (96,),
    "fire": (96, 192),
    "shuffled": (80,),
    "dense": (16,),
    "attending": (64,),
    "segmenting": (48,),
}
"""The image sizes of each kind."""


@dataclass(frozen=True)
class CalibrationNetwork:
    kind: str
    side: int
    """Its input has shape (batch, 3, side, side) and type float32."""

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.side}"

    def save(self, path: Path) -> None:
        """Write it as an ONNX file."""
        graph = _Graph()
        output = _KINDS[self.kind](graph, "image")
        shape: list[str | int | None] = ["batch", 3, self.side, self.side]
        made = helper.make_graph(
            graph.nodes,
            self.name,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            graph.constants,
        )
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
        onnx.save(onnx.shape_inference.infer_shapes(model, strict_mode=True), path)

    def samples(self, count: int) -> Array:
        """Random inputs of shape (count, 3, side, side)."""
        drawn = np.random.default_rng(1).normal(0, 1, (count, 3, self.side, self.side))
        return drawn.astype(np.float32)


CALIBRATION_NETWORKS = tuple(CalibrationNetwork(kind, side) for kind, sides in _SIDES.items() for side in sides)
