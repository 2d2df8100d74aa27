"""native: this machine."""

import os
import sys
from pathlib import Path

from edgekit.arrays import Arrays
from edgekit.formats import format_of
from edgekit.host import this_host
from edgekit.runners.runner import WORKER, Job, Result, run_worker
from edgekit.runtimes.opening import host_runtime
from edgekit.scratch import temporary_folder
from edgekit.target import Target
from edgekit.traits import Fidelity


def native_outputs(path: Path, inputs: Arrays, target: Target, threads: int = 1) -> Arrays:
    """The outputs of feeds on this machine, arrays with axes (feeds, ...), run by the same loop as on a target and with
    the target's integer saturation."""
    from edgekit.runtimes.ort import exact_copy

    with temporary_folder() as folder:
        runtime = host_runtime(format_of(path), target.runtime.name)
        saturates = target.saturates or not runtime.spec.runs_exact
        source = path if saturates else exact_copy(path, folder)
        return tuple(NativeRunner(runtime.name).run(Job([source], inputs, threads)).outputs[0])


class NativeRunner:
    """Runs the worker in a separate process, so that its memory can be measured."""

    fidelity = Fidelity.NATIVE

    def __init__(self, runtime: str = "") -> None:
        """`runtime` is the requested one, as `host_runtime` takes it."""
        self.runtime = runtime

    def identity(self) -> str:
        return f"native, {this_host().cpu_name}"

    def run(self, job: Job) -> Result:
        with temporary_folder() as folder:
            command, cpu = [sys.executable, str(WORKER)], this_host().cpu_name
            runtimes = job.runtimes or [host_runtime(format_of(model), self.runtime) for model in job.models]
            done = run_worker(command, os.environ, job, folder, cpu, runtimes)
        return done.result(self.fidelity)
