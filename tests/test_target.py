import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from edgekit.errors import TargetError
from edgekit.host import Host
from edgekit.target import Runtime, calibration_file, find_target, load_target, shipped_folder, target_files

SHIPPED = ("arm64-generic", "rpi-zero2w", "rpi3", "rpi4", "rpi5", "x86-avx2", "x86-vnni")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_target_loads_and_says_where_its_numbers_come_from(name: str) -> None:
    target = find_target(name)
    assert target.id == name
    text = (shipped_folder() / f"{name}.toml").read_text()
    assert text.startswith("#")
    if target.clock_hz:
        assert "https://" in text


def test_the_emulated_features_are_those_of_the_instruction_sets() -> None:
    for path in target_files().values():
        target = load_target(path)
        if target.cpuinfo:
            assert ("asimddp" in target.cpuinfo.features) == ("dotprod" in target.isa)


def test_an_unknown_target_brings_the_nearest() -> None:
    with pytest.raises(TargetError) as raised:
        find_target("rpi-4")
    assert raised.value.hint == "did you mean 'rpi4'?"


def test_a_projects_own_target_wins_over_the_shipped_one(tmp_path: Path) -> None:
    text = (shipped_folder() / "rpi4.toml").read_text().replace('Raspberry Pi 4 Model B"', 'Ours"', 1)
    (tmp_path / "rpi4.toml").write_text(text)
    assert find_target("rpi4", [tmp_path]).name == "Ours"
    assert find_target(str(tmp_path / "rpi4.toml")).name == "Ours"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("cores = 4", "coers = 4", "unknown key 'coers'"),
        ("cores = 4", "cores = 0", "'cores' is 0"),
        ('arch = "aarch64"', 'arch = "mips"', "'arch' is 'mips'"),
        ('version = "1.32.0"', 'version = "newest"', "'runtime.version' is 'newest'"),
        ('cpu = "cortex-a72"', "", "'cpu' is missing"),
        ("[cpuinfo]", "[cpuinfos]", "unknown key 'cpuinfos'"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = (shipped_folder() / "rpi4.toml").read_text()
    assert old in text
    (tmp_path / "board.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(TargetError) as raised:
        load_target(tmp_path / "board.toml")
    assert told in raised.value.message
    assert raised.value.hint


def test_broken_toml_and_absent_files_are_reported(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("= 1")
    for path in (tmp_path / "x.toml", tmp_path / "absent.toml"):
        with pytest.raises(TargetError):
            find_target(str(path))
    shutil.rmtree(tmp_path)


def test_a_machine_is_a_target_only_with_the_same_deciding_instructions() -> None:
    plain, vnni = find_target("x86-avx2"), find_target("x86-vnni")
    zen4 = Host("x86_64", frozenset({"avx2", "avx512", "vnni"}), "", "")
    haswell = Host("x86_64", frozenset({"avx2"}), "", "")
    assert vnni.is_this(zen4) and not vnni.is_this(haswell)
    assert plain.is_this(haswell) and not plain.is_this(zen4)
    pi3 = Host("aarch64", frozenset({"neon"}), "0xd03", "")
    assert find_target("rpi3").is_this(pi3) and not find_target("rpi4").is_this(pi3)


def test_the_json_of_a_target_is_the_same_in_every_process() -> None:
    """It goes into keys and manifests; the order of a set changes with the hash seed."""
    script = "from edgekit.target import find_target; print(find_target('x86-vnni').to_json())"
    items = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(8)
    }
    assert len(items) == 1


def test_x86_saturates_without_vnni_and_nothing_else_does() -> None:
    assert [each for each in ("x86-avx2", "x86-vnni", "rpi4", "rpi5") if find_target(each).saturates] == ["x86-avx2"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ('name = "onnxruntime"\nversion = "1.0.0"', "the runtime onnxruntime is given twice"),
        ('name = "ai-edge-litert"\nversion = "2.3.0"\nfloats = "bf16"', "ai-edge-litert computes floats only in f32"),
        ('name = "ncnn"\nversion = "1.0.0"', "ncnn"),
    ],
)
def test_runtimes_that_a_target_cannot_have(changed: str, told: str, tmp_path: Path) -> None:
    text = (shipped_folder() / "rpi-armv7l.toml").read_text()
    (tmp_path / "mine.toml").write_text(
        f"{text}\n[[other_runtimes]]\n{changed}\n".replace("tflite-runtime", "onnxruntime")
    )
    with pytest.raises(TargetError, match=told):
        load_target(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("size = 32_768", "size = 32_767", "cache 1 of 32767 bytes cannot have 2 ways of lines of 64"),
        ("size = 1_048_576\nways = 16", "size = 1_048_576\nways = 12", "cache 2 of 1048576 bytes cannot have 12 ways"),
        ("ways = 16", "ways = 16\nline = 32", "lines of different sizes"),
        ("ways = 2", "ways = 0", "ways"),
    ],
)
def test_caches_that_no_core_has(old: str, new: str, told: str, tmp_path: Path) -> None:
    text = (shipped_folder() / "rpi4.toml").read_text()
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new))
    with pytest.raises(TargetError, match=told):
        load_target(tmp_path / "mine.toml")


@pytest.mark.parametrize("name", ["rpi3", "rpi4", "rpi5", "rpi-zero2w"])
def test_the_caches_of_the_raspberry_pis_are_known(name: str) -> None:
    caches = find_target(name).caches
    assert [each.shared for each in caches] == [False] * (len(caches) - 1) + [True]
    assert all(small.size < large.size for small, large in pairwise(caches))


def test_a_calibration_lies_in_a_projects_folder_or_beside_the_target(tmp_path: Path) -> None:
    rpi4, path = find_target("rpi4"), tmp_path / "rpi4.latency.json"
    path.write_text("{}")
    found = find_target("rpi4", [tmp_path])
    assert found.calibration == str(path) == str(calibration_file(rpi4, tmp_path))
    assert rpi4.calibration == find_target("rpi3", [tmp_path]).calibration == ""
    assert found.to_json() == rpi4.to_json(), "it is no part of the device"
    own = tmp_path / "rpi4.toml"
    own.write_text((shipped_folder() / "rpi4.toml").read_text())
    assert find_target(str(own)).calibration == str(path)
    own.write_text('calibration = "elsewhere.json"\n' + own.read_text())
    with pytest.raises(TargetError, match="unknown key 'calibration'"):
        load_target(own)


def test_another_of_its_runtimes_takes_the_first_one_s_place() -> None:
    target = find_target("rpi4")
    other = target.on(target.runtimes[1])
    assert other.runtime == target.runtimes[1] and set(other.runtimes) == set(target.runtimes)
    assert other.on(target.runtime) == target.copy_with(other_runtimes=other.on(target.runtime).other_runtimes)
    outsider = Runtime(name="openvino", version="1.0.0")
    assert target.on(outsider).runtimes == (outsider, *target.runtimes)
