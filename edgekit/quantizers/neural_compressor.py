"""Intel Neural Compressor's quantizers, static and dynamic, and its accuracy-driven tuner."""

import logging
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import redirect_stdout
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
from edgekit.version import pip_install

_METHODS = {"minmax": "minmax", "percentile": "percentile", "entropy": "kl"}
_FLOAT = {"weight": {"dtype": ["fp32"]}, "activation": {"dtype": ["fp32"]}}


@dataclass(frozen=True)
class Goal:
    """What a search is after."""

    judge: Callable[[ModelProto], float]
    """The figure of a quantized model, higher is better. It is the judge who keeps the best."""
    floating: float
    """The float model's figure."""
    allowed: float
    """How far below that the search ends."""
    trials: int
    """At most."""


def search(
    source: Path,
    feeds: Callable[[], Iterable[Arrays]],
    samples: int,
    scheme: Mapping[str, Any],
    kept: Collection[str],
    goal: Goal,
    folder: Path,
) -> None:
    """Put quantized models of the file `source` before a judge, each with other operators in floats, those `kept`
    always, until the goal is met, all trials are done or the user interrupts it: in QDQ form, or, where the scheme's
    `approach` is dynamic, with the ranges of each run.

    `feeds` gives the calibration samples anew each time, as the model takes them, so many in all. What is written lies
    below `folder`. Raises StepError where the package is missing or does not know the scheme; and what the judge does.
    """
    is_static = scheme["approach"] == "static"
    if scheme["weight"] != "int8":
        raise StepError("Intel Neural Compressor makes int8 weights alone", 'set weight = "int8", or backend = "ort"')
    try:
        # Its own folder must be known before it is imported: it makes one where it stands.
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            from neural_compressor import quantization, set_workspace
            from neural_compressor.config import AccuracyCriterion, PostTrainingQuantConfig, TuningCriterion
    except ImportError as error:
        raise StepError(
            f"Intel Neural Compressor cannot be imported: {first_line(error)}",
            f'{pip_install("inc")}, or backend = "ort"',
        ) from error
    logging.getLogger("neural_compressor").setLevel(logging.CRITICAL)
    set_workspace(str(folder))
    model = load_model(source)
    # It merges what it infers itself with what the file says, and fails where they differ.
    del model.graph.value_info[:]
    names = [port.name for port in inputs_of(model.graph)]

    class Loader:
        batch_size = 1

        def __iter__(self) -> Any:
            return ((dict(zip(names, feed, strict=True)), None) for feed in feeds())

    raised: list[Exception] = []

    def judged(trial: ModelProto) -> float:
        if not any(node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear") for node in trial.graph.node):
            return goal.floating
        _forget_domains(trial)
        try:
            return goal.judge(to_signed(trial) if scheme["activation"] == "int8" and is_static else trial)
        except KeyboardInterrupt:
            return goal.floating
        except Exception as error:  # it would print it, and go on
            raised.append(error)
            return goal.floating

    weights = {"dtype": ["int8"], "scheme": ["sym"], "algorithm": ["minmax"]}
    weights["granularity"] = ["per_channel" if scheme["per_channel"] else "per_tensor"]
    activations = {
        # It knows no others, takes those where it is asked for others, and does not say so.
        "dtype": ["uint8"],
        "scheme": ["sym" if scheme["symmetric_activation"] else "asym"],
        "granularity": ["per_tensor"],
        "algorithm": [_METHODS[scheme["method"]]],
    }
    conf = PostTrainingQuantConfig(
        approach=scheme["approach"],
        quant_format="QDQ" if is_static else "default",
        # All of them: by default it stops at a hundred and does not say so.
        calibration_sampling_size=[samples],
        reduce_range=scheme["reduce_range"],
        # It would fuse what is then portable no longer.
        recipes={"graph_optimization_level": "DISABLE_ALL"},
        # Its own choice of levels begins the count of trials anew at each.
        quant_level=1,
        op_type_dict={".*": {"weight": weights, "activation": activations}},
        # It takes names for the beginnings of regular expressions.
        op_name_dict={f"{re.escape(name)}$": _FLOAT for name in kept},
        accuracy_criterion=AccuracyCriterion(criterion="absolute", tolerable_loss=goal.allowed),
        tuning_criterion=TuningCriterion(max_trials=goal.trials),
    )
    with redirect_stdout(sys.stderr):
        quantization.fit(model, conf=conf, calib_dataloader=Loader(), eval_func=judged)
    if raised:
        raise raised[0]


def _forget_domains(model: ModelProto) -> None:
    """It declares every domain of operators that the runtime knows."""
    used = {node.domain for graph in graphs(model.graph) for node in graph.node}
    kept = [each for each in model.opset_import if each.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
