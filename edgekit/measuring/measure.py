"""Measure a model file on this machine, or where a target's instruction set is."""

from dataclasses import dataclass
from pathlib import Path

from edgekit.arrays import Arrays
from edgekit.errors import ModelError, RunError
from edgekit.measurement import Measurement, static_measurements
from edgekit.measuring.figures import run_measurements
from edgekit.model.sample import random_feeds
from edgekit.model.sizes import Sizes
from edgekit.runners.choice import runner_for
from edgekit.runners.native import NativeRunner, native_outputs
from edgekit.runners.runner import Job, Result
from edgekit.target import Target
from edgekit.traits import Fidelity
from edgekit.verdict.gates import Gate, Status, memory_gate, parity_gate

_PARITY_SAMPLES = 4
_ROUNDS = 10
_LEAST_RUNS = 2
_PRECISION = 0.005


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
    """Measure `model` with made-up inputs, batch 1, for at most `seconds` with so many threads.

    It is loaded ten times, and timing ends sooner where the medians of at least six loads tell the median within half
    a per cent. For a target that this machine is not, outputs are compared with this machine's, memory is the guest's,
    and there is no latency. Raises ModelError for a file that is no model, EmulatorError where the target has no
    emulator here.
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
        result: Result | RunError = runner.run(_job(model, feeds, threads, seconds if native else 0.0))
    except RunError as error:
        if target is None:
            raise
        result = error
    if not isinstance(result, RunError):
        measured = run_measurements(name, result, threads)
    if target is not None:
        expected = native_outputs(model, feeds, target, threads)
        gates.append(parity_gate(model, feeds, expected, result))
        if target.ram_bytes is not None:
            gates.append(memory_gate(target.ram_bytes, "the target's RAM", measured, result))
        if not native:
            gates.append(Gate("latency", Status.NOT_RUN, "wall time under emulation is no latency"))
    return Bench(model, target, runner.identity(), (*counted, *measured), tuple(gates))


def _job(model: Path, feeds: Arrays, threads: int, seconds: float) -> Job:
    return Job([model], feeds, threads, seconds, _ROUNDS, _LEAST_RUNS, precision=_PRECISION)
