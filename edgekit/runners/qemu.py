"""qemu: user-mode emulation of the target's CPU model. Outputs are exact, memory is the guest's, and time has no
meaning."""

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from edgekit.architectures import ARCHITECTURES
from edgekit.device.agent import guest_memory
from edgekit.instruction_counts.counts import CountInterval, Counts, read_intervals
from edgekit.instruction_counts.operator_counts import counts_of_operators, counts_of_run, marked_runs
from edgekit.instruction_counts.plugin import MARK, can_be_counted, plugin_options
from edgekit.runners.emulator import Emulator, find_emulator
from edgekit.runners.runner import WORKER, Job, Profile, Result, run_worker
from edgekit.scratch import temporary_folder
from edgekit.target import Target
from edgekit.traits import Fidelity

GUEST_BASE = 0x100_0000_0000
"""The guest's base address in qemu's address space."""
_GUEST_BYTES = 0x4000_0000
_PAGE = 0x1_0000
_WHOLE_SPACE = 0xFFFF_F000
"""A 32-bit guest needs its whole address space, because the kernel's helper page is at its end."""
ALIKE = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
"""The environment in which repeated processes execute the same instructions in one thread."""
_HOLDING = ("If", "Loop", "Scan")
"""Operators that contain others."""


def guest_bytes(target: Target) -> int:
    """The size of a target's address space: its RAM in whole pages if known; all of it for 32 bits."""
    if ARCHITECTURES[target.arch].bits == 32:
        return _WHOLE_SPACE
    return (target.ram_bytes or _GUEST_BYTES) // _PAGE * _PAGE


def space_options(size: int) -> list[str]:
    """qemu's options for that, except on x86, whose vsyscall page is above any range that could be reserved."""
    return ["-B", hex(GUEST_BASE), "-R", hex(size)]


def with_counts(result: Result, written: Path) -> Result:
    """A result with the plugin's counts of its models' runs and operators."""
    models, runs = len(result.outputs), marked_runs(read_intervals(written), MARK)
    return replace(
        result,
        counts=[counts_of_run(run) for run in runs[:models]],
        profiles=[
            replace(each, counts=_of_operators(each, run) if run else ())
            for each, run in zip_longest(result.profiles, runs[models:])
        ],
    )


def why_not_counted(target: Target, *, has_plugin: bool) -> str:
    """Why nothing can be counted for a target, and what to do; empty if it can."""
    if not can_be_counted(target):
        return f"{target.id} is not a 64-bit ARM core with caches in its target file"
    if not has_plugin:
        return f"the instruction-counting plugin is not set up: install a C compiler and run edgekit setup {target.id}"
    return ""


def _of_operators(profile: Profile, run: Sequence[CountInterval]) -> Sequence[Counts]:
    """The counts of each operator; empty if some operators ran inside others."""
    operators = profile.runs[-1]
    nested = any(each["args"]["op_name"] in _HOLDING for each in operators)
    return () if nested else counts_of_operators(run, len(operators))


class QemuRunner:
    """Runs the worker under qemu-user with the target's CPU model."""

    fidelity = Fidelity.EMULATED

    def __init__(self, target: Target, emulator: Emulator) -> None:
        self.target = target
        self.emulator = emulator
        self.guest_bytes = guest_bytes(target)

    def identity(self) -> str:
        lacking = ", nothing counted" if can_be_counted(self.target) and self.emulator.plugin is None else ""
        return f"{self.emulator.version} -cpu {self.target.cpu}{lacking}, {self.target.runtime}"

    def run(self, job: Job) -> Result:
        runtime = job.runtimes[0] if job.runtimes else self.target.runtime
        if runtime != self.target.runtime:
            other, hint = self.target.on(runtime), f"edgekit setup {self.target.id} --runtimes {runtime.name}"
            return QemuRunner(other, find_emulator(other, hint)).run(job)
        space = space_options(self.guest_bytes) if self.emulator.root else []
        plugin = self.emulator.plugin if job.counted else None
        environment = {"PATH": os.environ.get("PATH", ""), "ORT_DISABLE_TELEMETRY": "1", **self.emulator.environment()}
        with temporary_folder() as folder:
            outcome = folder / "counts"
            more = plugin_options(plugin, outcome, self.target, by_operator=job.profiled_runs > 0) if plugin else []
            done = run_worker(
                [*self.emulator.command([*space, *more]), *self.emulator.python(), str(WORKER)],
                {**environment, **(ALIKE if plugin else {})},
                job if plugin else replace(job, counted=False),
                folder,
                self.target.cpu,
                [runtime] * len(job.models),
                self._guest_memory,
            )
            result = Result(
                outputs=done.outputs,
                memory_bytes=done.sampled.pop("peak") if space else None,
                resident=done.sampled if space else {},
                fidelity=self.fidelity,
                runtime=done.report.runtime,
                profiles=done.profiles,
                uncounted=why_not_counted(self.target, has_plugin=plugin is not None) if job.counted else "",
            )
            return with_counts(result, outcome) if plugin else result

    def _guest_memory(self, pid: int) -> int:
        return guest_memory(pid, GUEST_BASE, self.guest_bytes)[0]
