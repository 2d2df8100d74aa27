"""What a Raspberry Pi 4 says of itself, as the agent sends it."""

from typing import Any

import msgspec

from edgekit.runners.address import Address
from edgekit.runners.answers import Look
from edgekit.runners.board import Board
from edgekit.runners.emulator import cpuinfo_text
from edgekit.target_files import find_target

RPI4 = find_target("rpi4")
assert RPI4.cpuinfo
AROUND: dict[str, Any] = {
    "governor": "ondemand",
    "cpus": 4,
    "all_cpus": 4,
    "load": 0.02,
    "stolen_s": 0.0,
    "celsius": 48.7,
    "clock_khz": 600_000,
    "throttled": 0x50000,
    "throttle_count": None,
    "energy_uj": None,
}
TOLD: dict[str, Any] = {
    "system": "Linux",
    "os": "Debian GNU/Linux 12 (bookworm)",
    "arch": "aarch64",
    "bits": 64,
    "python": "3.11.2",
    "cpuinfo": cpuinfo_text(RPI4.cpuinfo, 4),
    "cores": 4,
    "clock_khz": 1_800_000,
    "model": "Raspberry Pi 4 Model B Rev 1.4",
    "boot": "its own",
    "memory": 3_981_467_648,
    "free_memory": 3_500_000_000,
    "free_disk": 20_000_000_000,
    "versions": {"onnxruntime": "1.32.0", "numpy": "1.26.4"},
    "kept": [],
    "machine_state": AROUND,
}


def look(**told: object) -> Look:
    """Its answer, with other values for some keys."""
    return msgspec.convert({**TOLD, **told}, Look)


PI = Board(Address("pi.local", "pi"), look())
