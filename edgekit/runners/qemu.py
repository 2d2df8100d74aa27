"""qemu: user-mode emulation of the target's CPU model. Outputs are exact, memory is the guest's, time means nothing."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from edgekit.architectures import ARCHITECTURES
from edgekit.device.courier import guest_memory
from edgekit.instruction_counts.counts import CountInterval, Counts, read_intervals
from edgekit.instruction_counts.operator_counts import counts_of_operators, counts_of_run, marked_runs
from edgekit.instruction_counts.plugin import MARK, can_be_counted, plugin_options
from edgekit.runners.emulator import Emulator, find_emulator
from edgekit.runners.runner import WORKER, Job, Profile, Result, run_worker
from edgekit.target import Target
from edgekit.traits import Fidelity

GUEST_BASE = 0x100_0000_0000
"""Where qemu puts the guest's address space in its own."""
_GUEST_BYTES = 0x4000_0000
_PAGE = 0x1_0000
_WHOLE_SPACE = 0xFFFF_F000
"""A guest of 32 bits has the kernel's page of helpers at its end, and must be given all of it."""
ALIKE = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
"""What makes one process run as the other does, and in one thread."""
_HOLDING = ("If", "Loop", "Scan")
"""Operators that hold others."""


def guest_bytes(target: Target) -> int:
    """How large a target's address space is: its RAM where that is told, in whole pages; of 32 bits all of it."""
    if ARCHITECTURES[target.arch].bits == 32:
        return _WHOLE_SPACE
    return (target.ram_bytes or _GUEST_BYTES) // _PAGE * _PAGE


def space_options(size: int) -> list[str]:
    """What tells qemu so, for a guest of another architecture than x86: that wants its vsyscall page above any range
    that could be reserved for it."""
    return ["-B", hex(GUEST_BASE), "-R", hex(size)]


def with_counts(result: Result, written: Path) -> Result:
    """A result with what the plugin wrote of its models' runs and of their operators'."""
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
    """Why nothing can be counted of a target, and what to do; nothing where it can."""
    if not can_be_counted(target):
        return f"{target.id} is no 64-bit ARM core whose caches its file tells"
    if not has_plugin:
        return f"the plugin that counts is not set up: edgekit setup {target.id}, with a C compiler at hand"
    return ""


def _of_operators(profile: Profile, run: Sequence[CountInterval]) -> Sequence[Counts]:
    """Nothing where some operators ran inside others."""
    operators = profile.runs[-1]
    nested = any(each["args"]["op_name"] in _HOLDING for each in operators)
    return () if nested else counts_of_operators(run, len(operators))


class QemuRunner:
    """Runs the worker under qemu-user with the target's CPU model and no other."""

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
        with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
            outcome = Path(folder) / "counts"
            more = plugin_options(plugin, outcome, self.target, by_operator=job.profiled_runs > 0) if plugin else []
            done = run_worker(
                [*self.emulator.command([*space, *more]), *self.emulator.python(), str(WORKER)],
                {**environment, **(ALIKE if plugin else {})},
                job if plugin else replace(job, counted=False),
                Path(folder),
                self.target.cpu,
                [runtime] * len(job.models),
                self._guest_memory,
            )
            result = Result(
                outputs=done.outputs,
                memory_bytes=done.sampled.pop("peak") if space else None,
                resident=done.sampled if space else {},
                fidelity=self.fidelity,
                runtime=done.report["runtime"],
                profiles=done.profiles,
                uncounted=why_not_counted(self.target, has_plugin=plugin is not None) if job.counted else "",
            )
            return with_counts(result, outcome) if plugin else result

    def _guest_memory(self, pid: int) -> int:
        return guest_memory(pid, GUEST_BASE, self.guest_bytes)[0]
