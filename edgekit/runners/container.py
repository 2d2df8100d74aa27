"""container: the target's CPU is emulated inside a Docker or Podman container."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.architectures import ARCHITECTURES
from edgekit.device.worker import STAGES
from edgekit.errors import ContainerError, EmulatorError, RunError, ToolError, last_line
from edgekit.instruction_counts.plugin import can_be_counted, plugin_options
from edgekit.runners.answers import Ended, Said, understood
from edgekit.runners.connection import Request, answer
from edgekit.runners.emulator import write_cpu_view
from edgekit.runners.engine import ContainerLimits, Engine, enforces_memory, find_engine, run_options
from edgekit.runners.image import check_emulated, image_name
from edgekit.runners.qemu import ALIKE, GUEST_BASE, guest_bytes, space_options, why_not_counted, with_counts
from edgekit.runners.runner import WORKER, Job, Result, read_results, run_error, stage_words, write_job
from edgekit.scratch import temporary_folder
from edgekit.target import Target
from edgekit.traits import Fidelity

_GUEST = "/opt/guest"
_PLUGIN = Path("/opt/counters.so")
_COUNTS = "counts"
_KILLED = 137
_SITE = "{folder}/root/opt/site"
_ENGINE_FAILED = (125, 126)


@dataclass(frozen=True)
class Container:
    """A container started for one request."""

    engine: Engine
    image: str
    limits: ContainerLimits
    started_in: Path
    """Podman's monitor writes a file named oom there when memory runs out."""

    def __str__(self) -> str:
        return f"the container of {self.engine.program[0]}"

    def command(self, source: str, *, compressed: bool) -> list[str]:
        return [*self.engine.program, "run", *run_options(self.limits), self.image, "python3", "-c", source]

    def no_answer(self, code: int, words: str, doing: str) -> ToolError:
        """The error, from what the engine printed."""
        if code == _KILLED:
            limit = self.limits.memory_bytes / 1e6
            return RunError(
                f"the model ran out of memory {doing}: the container's limit is {limit:,.0f} MB, including the "
                "emulator",
                "make the model smaller, or choose a target with more memory",
            )
        if code in _ENGINE_FAILED:
            return ContainerError(
                f"{self.engine} cannot start it: {last_line(words)}", "run it by hand to see the reason"
            )
        return ContainerError(f"{self} ended {doing}: {last_line(words)}", f"see {self.engine.program[0]}'s log")


class ContainerRunner:
    """Runs the worker under qemu with the target's CPU model, limited to the target's memory and CPUs.

    Raises ContainerError if no engine answers, EmulatorError if the image is not built or nothing emulates the target.
    """

    fidelity = Fidelity.EMULATED

    def __init__(self, target: Target) -> None:
        check_emulated(target)
        self.target = target
        self.architecture = ARCHITECTURES[target.arch]
        self.engine = find_engine()
        self.image = image_name(target)
        if not self.engine.has(self.image):
            raise EmulatorError(
                f"the container image for {target.id} is not built", f"edgekit setup --runner container {target.id}"
            )
        memory = min(guest_bytes(target), self.engine.memory_bytes)
        self.limits = ContainerLimits(memory, min(target.cores or 1, self.engine.cpus))
        self.is_limited = memory == guest_bytes(target) and enforces_memory(self.engine, self.image)

    def identity(self) -> str:
        limit = f"{self.limits.memory_bytes / 2**20:,.0f} MB" if self.is_limited else "memory not limited"
        where = f"{self.engine}, {limit}, {self.limits.cpus} CPUs"
        return f"container ({where}) of qemu -cpu {self.target.cpu}, {self.target.runtime}"

    @property
    def _knows_memory(self) -> bool:
        return self.architecture.has_guest_space

    def run(self, job: Job) -> Result:
        runtime = job.runtimes[0] if job.runtimes else self.target.runtime
        if runtime != self.target.runtime:
            return ContainerRunner(self.target.on(runtime)).run(job)
        runtimes = [runtime] * len(job.models)
        items = [Said(said="", memory=0)]
        size = guest_bytes(self.target)
        counted = job.counted and can_be_counted(self.target)
        qemu = [f"qemu-{self.architecture.qemu}", "-cpu", self.target.cpu, "-L", "{folder}/root"]
        space = space_options(size) if self._knows_memory else []
        if counted:
            out = Path("{folder}") / _COUNTS
            space += plugin_options(_PLUGIN, out, self.target, by_operator=job.profiled_runs > 0)
        asked = {
            "do": "run",
            "command": [*qemu, *space, f"{_GUEST}/usr/bin/python3.11", "-S"],
            "environment": {
                "PYTHONHOME": "{folder}/root/usr",
                "PYTHONPATH": _SITE,
                **(ALIKE if counted else {}),
            },
            "root": _GUEST,
            "guest": [GUEST_BASE, size] if self._knows_memory else None,
            "limit_s": job.limit_s,
        }
        with (
            temporary_folder() as sent,
            temporary_folder() as received,
            temporary_folder() as started_in,
        ):
            write_job(replace(job, counted=counted), sent, runtimes)
            shutil.copy(WORKER, sent)
            if self.target.cpuinfo:
                write_cpu_view(sent / "root", self.target)
            request = Request(
                asked,
                sent=sent,
                received=received,
                limit_s=job.limit_s,
                doing=lambda: stage_words(items[-1].said),
                heard=items.append,
            )
            ended = answer(Container(self.engine, self.image, self.limits, started_in), request, Ended)
            if ended.ended or ended.expired:
                code = None if ended.expired else ended.ended
                raise run_error(code, ended.words, items[-1].said, job, self.target.cpu, runtimes)
            with understood(self.engine, ContainerError):
                done = read_results(job, received)
            stages = {each.said: each.memory for each in items[1:] if each.said in STAGES}
            result = Result(
                outputs=done.outputs,
                memory_bytes=ended.peak if self._knows_memory else None,
                resident=stages if self._knows_memory else {},
                fidelity=self.fidelity,
                runtime=done.report.runtime,
                profiles=done.profiles,
                uncounted=why_not_counted(self.target, has_plugin=True) if job.counted else "",
                emulator_bytes=ended.emulator if self._knows_memory else None,
            )
            return with_counts(result, received / _COUNTS) if counted else result
