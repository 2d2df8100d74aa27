import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from edgekit.architectures import CORES
from edgekit.errors import TargetError
from edgekit.target import Budgets, CacheLevel, CpuInfo, Quantization, Runtime, Target
from edgekit.target_files import (
    calibration_file,
    find_target,
    load_target,
    load_targets,
    shipped_folder,
    target_files,
    target_toml,
)

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


def test_the_json_of_a_target_is_the_same_in_every_process() -> None:
    """It goes into keys and manifests; the order of a set changes with the hash seed."""
    script = "from edgekit.target_files import find_target; print(find_target('x86-vnni').to_json())"
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


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


def test_a_target_takes_from_its_base_what_it_does_not_have(tmp_path: Path) -> None:
    own = 'name = "Ours"\nram_bytes = 2147483648\n[quantization]\nwhy = "ours"\n[budgets]\nmax_bytes = 9\n'
    folder = written(tmp_path, mine=f'base = "rpi4"\n{own}')
    rpi4, found = find_target("rpi4"), find_target("mine", [folder])
    assert found == rpi4.copy_with(
        id="mine",
        name="Ours",
        ram_bytes=2**31,
        quantization=rpi4.quantization.copy_with(why="ours"),
        budgets=Budgets(max_bytes=9),
    )
    assert load_target(folder / "mine.toml") == found


def test_a_base_may_be_a_file_and_have_a_base_itself(tmp_path: Path) -> None:
    folder = written(tmp_path, one='base = "rpi4"\ncores = 2\n', two='base = "one.toml"\nname = "Two"\n')
    assert (find_target("two", [folder]).cores, find_target("two", [folder]).cpu) == (2, "cortex-a72")


def test_a_projects_target_may_change_the_shipped_one_of_its_id(tmp_path: Path) -> None:
    folder = written(tmp_path, rpi4='base = "rpi4"\ncores = 1\n', mine='base = "rpi4"\nname = "Mine"\n')
    assert [find_target(each, [folder]).cores for each in ("rpi4", "mine")] == [1, 1]


def test_another_core_has_properties_of_its_own(tmp_path: Path) -> None:
    folder = written(tmp_path, mine='base = "rpi4"\ncpu = "cortex-a76"\n')
    found, rpi5 = find_target("mine", [folder]), find_target("rpi5")
    assert found.isa == rpi5.isa and not found.caches
    assert found.cpuinfo and rpi5.cpuinfo and found.cpuinfo.part == rpi5.cpuinfo.part
    assert set(found.cpuinfo.features) <= set(rpi5.cpuinfo.features), "without the cryptography"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('[runtime]\nname = "tflite-runtime"\n', ["tflite-runtime", "onnxruntime", "ai-edge-litert"]),
        ('[runtime]\nversion = "1.20.0"\n', ["onnxruntime", "ai-edge-litert", "tflite-runtime"]),
        ('other_runtimes = []\n[runtime]\nname = "ai-edge-litert"\n', ["ai-edge-litert"]),
        (
            '[runtime]\nname = "openvino"\nversion = "2026.4.1"\n',
            ["openvino", "onnxruntime", "ai-edge-litert", "tflite-runtime"],
        ),
    ],
)
def test_another_runtime_takes_the_place_of_the_base_s(text: str, names: list[str], tmp_path: Path) -> None:
    found = find_target("mine", [written(tmp_path, mine=f'base = "rpi4"\n{text}')])
    assert [each.name for each in found.runtimes] == names
    known = {each.name: each.version for each in find_target("rpi4").runtimes}
    given = {"onnxruntime": "1.20.0"} if "1.20.0" in text else {}
    expected = {"openvino": "2026.4.1", **known, **given}
    assert {each.name: each.version for each in found.runtimes}.items() <= expected.items()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('base = "rpi-4"\n', "there is no target 'rpi-4' to be its base", "did you mean 'rpi4'?"),
        ('base = "gone.toml"\n', "gone.toml cannot be read", "check the path"),
        ('base = "mine.toml"\n', "its base 'mine.toml' has this target as its own base", "in one of them"),
        ('base = "mine"\n', "its base 'mine' has this target as its own base", "in one of them"),
        ('base = "round"\n', "round.toml: its base 'mine' has this target as its own base", "in one of them"),
        ("base = 4\n", "'base' is 4", 'base = "rpi4"'),
        ('base = "wrong"\n', "wrong.toml: 'cores' is 0", ""),
        ('base = "rpi4"\nisa = ["neon", "dotprod"]\n', "'isa' and cpuinfo.features name different", "asimddp"),
        ('base = "rpi4"\narch = "x86_64"\n', "'isa' is missing", "add isa"),
        ('base = "rpi4"\ncpu = "cortex-a55"\nisa = ["neon"]\n', "does not know the core 'cortex-a55'", "cortex-a57"),
        ('base = "rpi4"\n[runtime]\nname = "openvino"\n', "'runtime.version' is missing", "add runtime.version"),
        (
            'name = "x"\n[quantization]\nweight = "int8"\n',
            "'arch', 'cpu', 'isa', 'channel_multiple', 'runtime', 'quantization.activation' and "
            "'quantization.per_channel' are missing",
            'base = "rpi4"',
        ),
    ],
)
def test_a_target_that_cannot_be_is_reported(text: str, message: str, hint: str, tmp_path: Path) -> None:
    folder = written(tmp_path, mine=text, round='base = "mine"\n', wrong='base = "rpi4"\ncores = 0\n')
    with pytest.raises(TargetError) as raised:
        find_target("mine", [folder])
    assert message in raised.value.message and hint in raised.value.hint


def test_one_wrong_file_does_not_hide_the_others(tmp_path: Path) -> None:
    folder = written(tmp_path, wrong="name = 1\n", mine='base = "rpi4"\n', broken="= 1")
    found, errors = load_targets([folder])
    assert {each.id for each in found} == {*target_files(), "mine"}
    names = [Path(error.message.split(".toml")[0]).name for error in errors]
    assert sorted(names) == ["broken", "wrong"]
    assert find_target("mine", [folder]).id == "mine"


@pytest.mark.parametrize("name", sorted(target_files()))
def test_a_target_written_as_a_file_is_the_same(name: str, tmp_path: Path) -> None:
    target = find_target(name)
    (tmp_path / f"{name}.toml").write_text(target_toml(target, "every value"))
    assert load_target(tmp_path / f"{name}.toml") == target


def test_every_field_has_a_row_on_the_page() -> None:
    page = (Path(__file__).parent.parent / "docs" / "targets.md").read_text()
    kinds = (Target, Runtime, Quantization, CpuInfo, CacheLevel, Budgets)
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("|")]
    names = {name for kind in kinds for name in kind.__struct_fields__}
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == names | {"base"}
    assert all(core in page for core in CORES)
