from pathlib import Path

import pytest

from edgekit.errors import BoardError
from edgekit.runners.board import Board
from edgekit.runners.derived import derive_target, matching_targets
from edgekit.runners.emulator import cpuinfo_text
from edgekit.target import CpuInfo
from edgekit.target_files import find_target, load_target, target_files, target_toml
from tests.runners.pi import PI, RPI4, look

KNOWN = [load_target(path) for path in target_files().values()]
A78 = CpuInfo(implementer="0x41", variant="0x1", part="0xd41", revision=0, features=("fp", "asimd", "asimddp"))


def test_a_pi_becomes_its_own_target(tmp_path: Path) -> None:
    assert [each.id for each in matching_targets(PI, KNOWN)] == ["rpi4"]
    made = derive_target(PI, "kitchen", KNOWN)
    path = tmp_path / "kitchen.toml"
    path.write_text(target_toml(made, "from where"))
    assert load_target(path) == made, "the file says all that the record holds"
    assert made.is_this(PI.host) and made.quantization == RPI4.quantization
    assert (made.cpu, made.ram_bytes, made.clock_hz) == ("cortex-a72", 4 * 2**30, 1_800_000_000)
    assert path.read_text().startswith("# from where\n")


def test_another_core_takes_the_scheme_of_its_kernels_and_has_no_emulator() -> None:
    made = derive_target(Board(PI.address, look(cpuinfo=cpuinfo_text(A78, 8))), "a78", KNOWN)
    assert made.cpu == "" and made.quantization == find_target("rpi5").quantization
    assert made.isa == {"neon", "dotprod"} and made.cpuinfo == A78


def test_the_smallest_boards_are_sold_by_the_quarter_gigabyte() -> None:
    made = derive_target(Board(PI.address, look(memory=447_000_000)), "zero", KNOWN)
    assert made.ram_bytes == 512 * 2**20


def test_kernels_that_no_target_has_are_refused() -> None:
    with pytest.raises(BoardError, match=r"no known target has the kernels of pi@pi\.local: aarch64 with neon"):
        derive_target(PI, "x", [each for each in KNOWN if each.arch == "x86_64"])
