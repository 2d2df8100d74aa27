"""Resize images."""

import numpy as np
import onnx_ir as ir

from edgekit.arrays import Array
from edgekit.tflite.images import CHANNELS_LAST
from edgekit.tflite.lowering import LoweredTensor, Lowering, Unsupported
from edgekit.tflite.subgraph import Shape

_LAST = CHANNELS_LAST[4]
_WAYS = ((False, False), (False, True), (True, False))
"""Whether corners are aligned, and whether pixel centers are at half positions."""


def resize(work: Lowering, node: ir.Node) -> None:
    """Use the mode of TFLite that samples each pixel at the same position as ONNX."""
    before, given = work.given_shape(node), work.at(node)
    end = work.end(node.outputs[0])
    if len(before) != 4 or before[:2] != end.shape[:2]:
        raise Unsupported(node, "along axes other than height and width")
    mode = node.attributes.get_string("mode", "nearest")
    if node.attributes.get_int("antialias", 0):
        raise Unsupported(node, "with antialiasing")
    if mode not in ("nearest", "linear"):
        raise Unsupported(node, f"in mode {mode}")
    way = _way(node, mode, before, end.shape)
    given = work.transpose(given, _LAST)
    made = work.output(end.value, _LAST, given.quant)
    size = work.graph.numbers("size", end.shape[2:])
    kind = "RESIZE_NEAREST_NEIGHBOR" if mode == "nearest" else "RESIZE_BILINEAR"
    work.graph.operator(kind, [given.tensor, size], made, alignCorners=way[0], halfPixelCenters=way[1])
    work.settle(end, LoweredTensor(made, _LAST, given.quant))


def _way(node: ir.Node, mode: str, before: Shape, after: Shape) -> tuple[bool, bool]:
    transformation = node.attributes.get_string("coordinate_transformation_mode", "half_pixel")
    rounding = node.attributes.get_string("nearest_mode", "round_prefer_floor")
    if node.op_type == "Upsample":
        transformation, rounding = "asymmetric", "floor"
    pairs = list(zip(before[2:], after[2:], strict=True))
    for way in _WAYS:
        if all(_agree(mode, transformation, rounding, way, *pair) for pair in pairs):
            return way
    raise Unsupported(node, f"with {transformation} and {rounding}, which TFLite does not support for these sizes")


def _agree(mode: str, transformation: str, rounding: str, way: tuple[bool, bool], size: int, wanted: int) -> bool:
    theirs, ours = _onnx_places(transformation, size, wanted), _tflite_places(mode, way, size, wanted)
    if theirs is None:
        return False
    if mode == "nearest":
        rounds = {
            "floor": np.floor(theirs),
            "ceil": np.ceil(theirs),
            "round_prefer_floor": np.ceil(theirs - 0.5),
            "round_prefer_ceil": np.floor(theirs + 0.5),
        }
        return bool((rounds[rounding].clip(0, size - 1) == np.floor(ours).clip(0, size - 1)).all())
    return bool(np.allclose(theirs.clip(0, size - 1), ours.clip(0, size - 1), atol=1e-5))


def _onnx_places(transformation: str, size: int, wanted: int) -> Array | None:
    """The source position of each new pixel; None for an unknown transformation."""
    at, scale = np.arange(wanted, dtype=np.float64), size / wanted
    found: dict[str, Array] = {
        "asymmetric": at * scale,
        "half_pixel": (at + 0.5) * scale - 0.5,
        "pytorch_half_pixel": (at + 0.5) * scale - 0.5 if wanted > 1 else np.zeros(1),
        "align_corners": at * (size - 1) / max(wanted - 1, 1),
    }
    return found.get(transformation)


def _tflite_places(mode: str, way: tuple[bool, bool], size: int, wanted: int) -> Array:
    """The same for TFLite; in nearest mode before rounding down."""
    corners, centers = way
    at = np.arange(wanted, dtype=np.float64)
    scale = (size - 1) / (wanted - 1) if corners and wanted > 1 else size / wanted
    if mode == "nearest":
        return np.floor(at * scale + 0.5) if corners else (at + (0.5 if centers else 0)) * scale
    return np.asarray((at + 0.5) * scale - 0.5 if centers else at * scale)
