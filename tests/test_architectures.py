import pytest

from edgekit.architectures import ARCHITECTURES, CORES, issue_width, normalized_arch
from edgekit.target_files import find_target, target_files


@pytest.mark.parametrize(
    ("machine", "name"),
    [("AMD64", "x86_64"), ("arm64", "aarch64"), ("aarch64", "aarch64"), ("armv7l", "armv7l"), ("riscv64", "riscv64")],
)
def test_machines_have_the_names_that_targets_use(machine: str, name: str) -> None:
    assert normalized_arch(machine) == name


@pytest.mark.parametrize("name", sorted(target_files()))
def test_each_counted_target_s_core_has_its_issue_width(name: str) -> None:
    target = find_target(name)
    if ARCHITECTURES[target.arch].is_counted:
        assert target.cpu in CORES
    assert issue_width(target.cpu) >= 2
