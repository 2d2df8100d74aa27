"""Measure a model file on this machine, or where a target's instruction set is."""

from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import ModelError, RunError
from edgekit.measurement import Measurement, latency_measurements, static_measurements
from edgekit.model.sample import random_feeds
from edgekit.model.sizes import Sizes
from edgekit.runners.choice import runner_for
from edgekit.runners.native import NativeRunner, native_outputs
from edgekit.runners.runner import Job, Result
from edgekit.target import Target
from edgekit.traits import Fidelity
from edgekit.verdict.gates import Gate, Status, memory_gate, parity_gate

_PARITY_SAMPLES = 4


@dataclass(frozen=True)
class Bench:
    model: Path
    target: Target | None
    place: str
    """Where it ran, in words."""
    measurements: tuple[Measurement, ...]
    gates: tuple[Gate, ...]

    @property
    def passed(self) -> bool:
        return all(gate.status is not Status.FAILED for gate in self.gates)


def benched(model: Path, target: Target | None, threads: int, seconds: float, sizes: Sizes) -> Bench:
    """Measure `model` with made-up inputs, batch 1, for `seconds` with so many threads.

    For a target that this machine is not, outputs are compared with this machine's, memory is the guest's, and there is
    no latency. Raises ModelError for a file that is no model, EmulatorError where the target has no emulator here.
    """
    if model.suffix == ".tflite":
        raise ModelError(f"{model.name} is a TFLite model, and bench takes ONNX", "name the .onnx file")
    name = model.name
    counted = static_measurements(name, model, sizes)
    runner = runner_for(target) if target else NativeRunner()
    native = runner.fidelity is Fidelity.NATIVE
    feeds = random_feeds(model, 1 if native else _PARITY_SAMPLES, sizes)
    gates: list[Gate] = []
    measured: list[Measurement] = []
    try:
        result: Result | RunError = runner.run(Job([model], feeds, threads, seconds if native else 0.0))
    except RunError as error:
        if target is None:
            raise
        result = error
    if not isinstance(result, RunError):
        measured = _measurements(name, result, threads)
    if target is not None:
        expected = native_outputs(model, feeds, target, threads)
        gates.append(parity_gate(model, feeds, expected, result))
        if target.ram_bytes is not None:
            gates.append(memory_gate(target.ram_bytes, "the target's RAM", measured, result))
        if not native:
            gates.append(Gate("latency", Status.NOT_RUN, "wall time under emulation is no latency"))
    return Bench(model, target, runner.identity(), (*counted, *measured), tuple(gates))


def _measurements(name: str, result: Result, threads: int) -> list[Measurement]:
    told = []
    if result.latencies_ms:
        how = f"{threads} thread{'s' if threads > 1 else ''}, batch 1, {len(result.latencies_ms[0]):,} runs"
        told += latency_measurements(name, result.latencies_ms[0], result.fidelity, how)
    if result.memory_bytes is not None:
        how = f"{result.runtime} with its Python process"
        told.append(Measurement(name, "memory_peak", result.memory_bytes, "bytes", result.fidelity, how))
    if result.memory_model_bytes is not None:
        how = "of it, since the runtime was imported"
        told.append(Measurement(name, "memory_model", result.memory_model_bytes, "bytes", result.fidelity, how))
    return told
