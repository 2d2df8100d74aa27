"""native: this machine."""

import os
import sys
import tempfile
from pathlib import Path

from edgekit.arrays import Arrays
from edgekit.formats import format_of
from edgekit.host import this_host
from edgekit.runners.runner import WORKER, Job, Result, run_worker
from edgekit.runtimes.opening import host_runtime
from edgekit.target import Target
from edgekit.traits import Fidelity, Format


def native_outputs(path: Path, inputs: Arrays, target: Target, threads: int = 1) -> Arrays:
    """The outputs of feeds on this machine, by the same loop as on a target, 8-bit products added as the target adds
    them."""
    from edgekit.runtimes.ort import exact_copy

    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        is_onnx = format_of(path) is Format.ONNX
        source = exact_copy(path, Path(folder)) if is_onnx and not target.saturates else path
        return tuple(NativeRunner(target.runtime.name).run(Job([source], inputs, threads)).outputs[0])


class NativeRunner:
    """Runs the worker in a process of its own, so that its memory is its own too."""

    fidelity = Fidelity.NATIVE

    def __init__(self, runtime: str = "") -> None:
        """`runtime` is the one for .tflite files, where this machine has it."""
        self.runtime = runtime

    def identity(self) -> str:
        return f"native, {this_host().cpu_name}"

    def run(self, job: Job) -> Result:
        with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
            command, runtime = [sys.executable, str(WORKER)], host_runtime(job.format, self.runtime)
            done = run_worker(command, os.environ, job, Path(folder), this_host().cpu_name, runtime)
        return done.result(self.fidelity)
