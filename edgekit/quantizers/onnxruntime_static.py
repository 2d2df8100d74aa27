"""ONNX Runtime's static quantizer."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx import ModelProto

from edgekit.data.calibration_batches import CalibrationBatches
from edgekit.errors import StepError, first_line
from edgekit.model.operators import PRODUCTS, attribute
from edgekit.model.ports import Port, inputs_of
from edgekit.model.reading import load_model
from edgekit.process_state import quiet_root_logger, stdout_as_stderr
from edgekit.runtimes import ort
from edgekit.scratch import temporary_folder

PASSING = (
    "Clip",
    "Flatten",
    "Gather",
    "MaxPool",
    "Pad",
    "Relu",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
"""Operators that pass values on unchanged."""


def quantize_static(
    source: Path,
    path: Path,
    batches: CalibrationBatches,
    scheme: Mapping[str, Any],
    method: str,
    operators: str,
    kept: Collection[str],
    ranges: Path,
) -> None:
    """Write the QDQ model. Nodes named in `kept` stay float.

    `operators` is `all` that the runtime has integer kernels for, or `products` and the operators that pass values on.
    Tensor ranges are stored in the file `ranges`; if it exists, calibration is skipped.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    model = load_model(source)
    kinds = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}
    methods = {
        "minmax": CalibrationMethod.MinMax,
        "percentile": CalibrationMethod.Percentile,
        "entropy": CalibrationMethod.Entropy,
    }
    types = [*PRODUCTS, *PASSING] if operators == "conv-matmul" else sorted({*QDQRegistry, *QLinearOpsRegistry})
    try:
        # Masks, which are among the tensors that stay float, cause divisions by infinity. What the histogram collector
        # prints must not appear in the output of --json.
        with np.errstate(invalid="ignore"), stdout_as_stderr(), quiet_root_logger("onnxruntime"):
            if not ranges.exists():
                _calibrate(source, batches, inputs_of(model.graph), types, methods[method], ranges)
            quantize_static(
                str(source),
                str(path),
                None,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=types,
                per_channel=scheme["per_channel"],
                reduce_range=scheme["reduce_range"],
                activation_type=kinds[scheme["activation"]],
                weight_type=kinds[scheme["weight"]],
                calibrate_method=methods[method],
                calibration_cache_path=ranges,
                nodes_to_exclude=list(kept),
                extra_options={
                    "ActivationSymmetric": scheme["symmetric_activation"],
                    "WeightSymmetric": True,
                    "TensorQuantOverrides": {
                        **{name: [{"quant_type": kinds[scheme["activation"]]}] for name in _tied_tables(model)},
                        **{
                            name: [{"quant_type": kinds[scheme["weight"]], "symmetric": True}]
                            for name in _grouped_transposed_weights(model)
                        },
                    },
                },
            )
    except Exception as error:
        raise StepError(
            f"ONNX Runtime could not quantize the model: {first_line(error)}", "try another calibration, or --debug"
        ) from error
    _sort(path)


def _calibrate(
    source: Path, batches: CalibrationBatches, ports: Sequence[Port], types: Sequence[str], method: Any, ranges: Path
) -> None:
    """Store the ranges of the inputs and outputs of operators of these types. The calibrator's own session is not
    optimized and takes 1.5 times as long."""
    from onnxruntime.quantization.calibrate import create_calibrator, save_tensors_data

    with temporary_folder() as folder:
        watched = folder / "watched.onnx"
        calibrator = create_calibrator(source, types, str(watched), calibrate_method=method)
        calibrator.infer_session = ort.session(watched)
        names = [port.name for port in ports]
        calibrator.collect_data(_Reader(dict(zip(names, feed, strict=True)) for feed in batches.feeds(ports)))
        save_tensors_data(calibrator.compute_data(), ranges)


class _Reader:
    """The data reader for the calibrator: the next feed, or None."""

    def __init__(self, feeds: Iterator[dict[str, Any]]) -> None:
        self.feeds = feeds

    def get_next(self) -> dict[str, Any] | None:
        return next(self.feeds, None)


def _tied_tables(model: ModelProto) -> list[str]:
    """Tables that are both looked up and multiplied with, such as tied embeddings. A lookup's output takes the table's
    type and scale, so that one scale is needed instead of one per channel."""
    stored = {tensor.name for tensor in model.graph.initializer}
    looked_up = {node.input[0] for node in model.graph.node if node.op_type in ("Gather", "GatherElements")}
    multiplied = {name for node in model.graph.node if node.op_type in ("Gemm", "MatMul") for name in node.input[:2]}
    return sorted(stored & looked_up & multiplied)


def _grouped_transposed_weights(model: ModelProto) -> list[str]:
    """Weights of transposed convolutions with groups and a bias. Their channel axis has one entry per channel of a
    group, but the quantizer needs one scale per element of the bias, so that the weight has a single scale."""
    stored = {tensor.name for tensor in model.graph.initializer}
    found = {
        node.input[1]
        for node in model.graph.node
        if node.op_type == "ConvTranspose" and len(node.input) > 2 and attribute(node, "group", 1) > 1
    }
    return sorted(stored & found)


def _sort(path: Path) -> None:
    """Sort nodes topologically: the quantizer does not consider what control-flow subgraphs read."""
    model = ir.load(path)
    model.graph.sort()
    ir.save(model, path)
