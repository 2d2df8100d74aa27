"""Intel Neural Compressor's static and dynamic quantizers, and its accuracy-driven tuner."""

import logging
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx import ModelProto

from edgekit.arrays import Arrays
from edgekit.errors import StepError, first_line
from edgekit.model.operators import graphs
from edgekit.model.ports import inputs_of
from edgekit.model.reading import load_model
from edgekit.model.unsigned import to_signed
from edgekit.process_state import quiet_loggers, stdout_as_stderr
from edgekit.version import pip_install

_METHODS = {"minmax": "minmax", "percentile": "percentile", "entropy": "kl"}
_FLOAT = {"weight": {"dtype": ["fp32"]}, "activation": {"dtype": ["fp32"]}}


@dataclass(frozen=True)
class Goal:
    """The goal of a search."""

    judge: Callable[[ModelProto], float]
    """Returns the metric of a quantized model, higher is better, and keeps the best model."""
    floating: float
    """The float model's metric."""
    allowed: float
    """The drop from that at which the search ends."""
    trials: int
    """The most trials."""


def search(
    source: Path,
    feeds: Callable[[], Iterable[Arrays]],
    samples: int,
    scheme: Mapping[str, Any],
    kept: Collection[str],
    goal: Goal,
    folder: Path,
) -> None:
    """Pass quantized versions of the file `source` to the judge, each with other operators in float and those in `kept`
    always in float, until the goal is met, all trials are done or the user interrupts. They are in QDQ form, or have
    dynamic ranges if the scheme's `approach` is dynamic.

    `feeds` returns the calibration samples, `total` in all, as the model takes them, at each call. Files are written
    below `folder`. Raises StepError if the package is missing or does not support the scheme, and the judge's errors.
    """
    is_static = scheme["approach"] == "static"
    if scheme["weight"] != "int8":
        raise StepError("Intel Neural Compressor supports int8 weights only", 'set weight = "int8", or backend = "ort"')
    try:
        # Neural Compressor creates its workspace on import, so that the folder must be set before.
        with warnings.catch_warnings(), stdout_as_stderr():
            warnings.simplefilter("ignore")
            from neural_compressor import quantization, set_workspace
            from neural_compressor.config import AccuracyCriterion, PostTrainingQuantConfig, TuningCriterion
    except ImportError as error:
        raise StepError(
            f"Intel Neural Compressor cannot be imported: {first_line(error)}",
            f'{pip_install("inc")}, or backend = "ort"',
        ) from error
    set_workspace(str(folder))
    model = load_model(source)
    # Neural Compressor merges its inferred shapes with the file's and fails if they differ.
    del model.graph.value_info[:]
    names = [port.name for port in inputs_of(model.graph)]

    class Loader:
        batch_size = 1

        def __iter__(self) -> Any:
            return ((dict(zip(names, feed, strict=True)), None) for feed in feeds())

    raised: list[Exception] = []

    def evaluate(trial: ModelProto) -> float:
        if not any(node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear") for node in trial.graph.node):
            return goal.floating
        _forget_domains(trial)
        try:
            return goal.judge(to_signed(trial) if scheme["activation"] == "int8" and is_static else trial)
        except KeyboardInterrupt:
            return goal.floating
        except Exception as error:  # Neural Compressor would print it and continue
            raised.append(error)
            return goal.floating

    weights = {"dtype": ["int8"], "scheme": ["sym"], "algorithm": ["minmax"]}
    weights["granularity"] = ["per_channel" if scheme["per_channel"] else "per_tensor"]
    activations = {
        # Neural Compressor supports uint8 activations only, and silently uses them when int8 is requested.
        "dtype": ["uint8"],
        "scheme": ["sym" if scheme["symmetric_activation"] else "asym"],
        "granularity": ["per_tensor"],
        "algorithm": [_METHODS[scheme["method"]]],
    }
    conf = PostTrainingQuantConfig(
        approach=scheme["approach"],
        quant_format="QDQ" if is_static else "default",
        # Use all samples: by default it silently stops after 100.
        calibration_sampling_size=[samples],
        reduce_range=scheme["reduce_range"],
        # Its graph optimization would fuse operators, and the result would not be portable.
        recipes={"graph_optimization_level": "DISABLE_ALL"},
        # Its automatic choice of levels restarts the count of trials at each level.
        quant_level=1,
        op_type_dict={".*": {"weight": weights, "activation": activations}},
        # It matches names as prefixes of regular expressions.
        op_name_dict={f"{re.escape(name)}$": _FLOAT for name in kept},
        accuracy_criterion=AccuracyCriterion(criterion="absolute", tolerable_loss=goal.allowed),
        tuning_criterion=TuningCriterion(max_trials=goal.trials),
    )
    with stdout_as_stderr(), quiet_loggers("neural_compressor", level=logging.CRITICAL):
        quantization.fit(model, conf=conf, calib_dataloader=Loader(), eval_func=evaluate)
    if raised:
        raise raised[0]


def _forget_domains(model: ModelProto) -> None:
    """Remove the operator domains that Neural Compressor declares without need."""
    used = {node.domain for graph in graphs(model.graph) for node in graph.node}
    kept = [each for each in model.opset_import if each.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
