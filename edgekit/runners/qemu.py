"""qemu: user-mode emulation of the target's CPU model. Outputs are exact, memory is the guest's, time means nothing."""

import os
import re
import tempfile
from pathlib import Path

from edgekit.runners.emulator import Emulator
from edgekit.runners.runner import WORKER, Job, Result, run_worker
from edgekit.target import Target
from edgekit.traits import Fidelity

# Where qemu puts the guest's address space in its own, and how large it is where the target does not say.
_GUEST_BASE = 0x100_0000_0000
_GUEST_BYTES = 0x4000_0000
_PAGE = 0x1_0000


class QemuRunner:
    """Runs the worker under qemu-user with the target's CPU model and no other."""

    fidelity = Fidelity.EMULATED

    def __init__(self, target: Target, emulator: Emulator) -> None:
        self.target = target
        self.emulator = emulator
        self.guest_bytes = (target.ram_bytes or _GUEST_BYTES) // _PAGE * _PAGE

    def identity(self) -> str:
        return f"{self.emulator.version} -cpu {self.target.cpu}, {self._runtime}"

    @property
    def _runtime(self) -> str:
        return f"{self.target.runtime.name} {self.target.runtime.version}"

    def run(self, job: Job) -> Result:
        # An x86 guest wants its vsyscall page above any range that could be reserved for it.
        space = ["-B", hex(_GUEST_BASE), "-R", hex(self.guest_bytes)] if self.emulator.root else []
        command = [*self.emulator.command(), *space, *self.emulator.python(), str(WORKER)]
        environment = {"PATH": os.environ.get("PATH", ""), "ORT_DISABLE_TELEMETRY": "1", **self.emulator.environment()}
        with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
            done = run_worker(
                command, environment, job, Path(folder), self.target.cpu, self._runtime, self._guest_memory
            )
        return Result(
            outputs=done.outputs,
            memory_bytes=done.sampled.pop("peak") if space else None,
            resident=done.sampled if space else {},
            fidelity=self.fidelity,
            runtime=done.report["runtime"],
            profiles=done.profiles,
        )

    def _guest_memory(self, pid: int) -> int:
        """The resident bytes of a qemu process that belong to its guest, without qemu's own."""
        try:
            lines = Path(f"/proc/{pid}/smaps").read_text().splitlines()
        except OSError:  # it has just ended
            return 0
        total, inside = 0, False
        for line in lines:
            mapping = re.match(r"([0-9a-f]+)-[0-9a-f]+ ", line)
            if mapping:
                inside = _GUEST_BASE <= int(mapping.group(1), 16) < _GUEST_BASE + self.guest_bytes
            elif inside and line.startswith("Rss:"):
                total += int(line.split()[1]) * 1024
        return total
