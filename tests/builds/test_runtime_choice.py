from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgekit.builds.runtime_choice import RuntimeTrial, rank_by_prediction, rank_by_rule, rank_by_time
from edgekit.errors import RunError
from edgekit.figures.measurement import Measurement
from edgekit.runners.runner import Job, Result, Round
from edgekit.target import Runtime, RuntimeName
from edgekit.traits import Fidelity


def of(name: RuntimeName) -> Runtime:
    return Runtime(name=name, version="1.0.0")


ORT, LITERT, OPENVINO = of("onnxruntime"), of("ai-edge-litert"), of("openvino")


@dataclass
class Clock:
    """A board whose runtimes take as long as they are told to, and fail where they are told nothing."""

    milliseconds: dict[str, Sequence[float]]
    """By load, for each runtime."""
    fidelity = Fidelity.DEVICE

    def identity(self) -> str:
        return "a clock"

    def run(self, job: Job) -> Result:
        names = [each.name for each in job.runtimes]
        if not set(names) <= set(self.milliseconds):
            raise RunError(f"{names[0]} died", "look at it")
        outputs = [(np.zeros((len(each[0]), 1)),) for each in job.inputs_of or [job.inputs]]
        rounds = [
            Round([[self.milliseconds[name][load]] * 3 for name in names], 0) for load in range(8 if job.seconds else 0)
        ]
        return Result(outputs, None, {}, self.fidelity, " and ".join(names), [1.0], [1.0], rounds)


def ranked(model: Path, **milliseconds: Sequence[float]) -> list[RuntimeTrial]:
    values = {name.replace("_", "-"): times for name, times in milliseconds.items()}
    return rank_by_time(dict.fromkeys((ORT, LITERT, OPENVINO), model), Clock(values))


def test_the_fastest_is_taken_and_the_others_say_how_much_slower_they_are(conv_model: Path) -> None:
    steady = [1.0] * 8
    found = ranked(conv_model, onnxruntime=steady, ai_edge_litert=[0.4] * 8, openvino=[0.5] * 8)
    assert [each.runtime for each in found] == [LITERT, OPENVINO, ORT]
    assert [each.taken for each in found] == [True, False, False]
    assert found[0].why == "0.400 (0.400 to 0.400) of the time of onnxruntime 1.0.0, timed in turns"
    latency, ratio = found[0].measurements
    assert (latency.value, latency.fidelity, ratio.value) == (0.4, Fidelity.DEVICE, 0.4)
    assert found[2].to_json()["runtime"] == "onnxruntime 1.0.0" and found[2].why == "slower"


@pytest.mark.parametrize("times", [[0.8, 0.9, 1.0, 1.02, 0.7, 1.05, 0.6, 0.95], [0.995] * 8])
def test_what_may_be_noise_does_not_replace_the_targets_own(conv_model: Path, times: list[float]) -> None:
    found = ranked(conv_model, onnxruntime=[1.0] * 8, ai_edge_litert=times, openvino=[2.0] * 8)
    assert found[0].runtime == ORT and found[0].taken


def test_a_runtime_that_fails_is_reported(conv_model: Path) -> None:
    found = ranked(conv_model, onnxruntime=[1.0] * 8, openvino=[0.5] * 8)
    assert [each.runtime for each in found] == [OPENVINO, ORT, LITERT]
    assert found[2].why == "ai-edge-litert died; look at it" and not found[2].measurements


def test_where_the_targets_own_fails_the_fastest_of_the_others_is_taken(conv_model: Path) -> None:
    found = ranked(conv_model, ai_edge_litert=[0.9] * 8, openvino=[0.5] * 8)
    assert [each.runtime for each in found] == [OPENVINO, LITERT, ORT] and found[0].taken


def test_without_times_it_goes_by_prediction_and_says_so() -> None:
    values = {
        runtime: Measurement("m", "latency_predicted", ms, "ms", Fidelity.PREDICTED, "", ms / 2, ms * 2, confidence=0)
        for runtime, ms in ((ORT, 3.0), (LITERT, 4.0), (of("tflite-runtime"), 2.0))
    }
    found = rank_by_prediction(values)
    assert [each.runtime.name for each in found] == ["tflite-runtime", "onnxruntime", "ai-edge-litert"]
    assert [each.taken for each in found] == [True, False, False]
    assert found[1].why == "predicted, not measured on this device: range 1.5 to 6 ms"
    assert found[1].measurements == (values[ORT],)


def test_without_either_it_goes_by_rule_and_says_so() -> None:
    found = rank_by_rule([of("tflite-runtime"), ORT, LITERT])
    assert [each.runtime.name for each in found] == ["ai-edge-litert", "onnxruntime", "tflite-runtime"]
    assert all(each.why.startswith("by rule, not measured on this device: ") for each in found)
    assert [each.taken for each in found] == [True, False, False]
