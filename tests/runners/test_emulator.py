import os
import shutil
from pathlib import Path

import pytest

from edgekit.errors import EmulatorError, FetchError
from edgekit.fetching import kept as sealed
from edgekit.fetching import lock
from edgekit.fetching.lock import Lock
from edgekit.fetching.packages import emulator_packages, guest_packages
from edgekit.fetching.source import Source
from edgekit.host import this_host
from edgekit.instruction_counts.plugin import plugin_path
from edgekit.progress import Silent
from edgekit.runners import emulator
from edgekit.runners.emulator import cpuinfo_text, find_emulator, prepare, write_cpu_view
from edgekit.target import Runtime
from edgekit.target_files import find_target
from tests.indices import sha256, use_index, use_mirror, write_package, write_wheel
from tests.notes import Notes

RPI4 = find_target("rpi4")


def test_cpuinfo_is_what_the_runtime_parses() -> None:
    assert RPI4.cpuinfo is not None
    text = cpuinfo_text(RPI4.cpuinfo, 4)
    assert text.count("CPU part\t: 0xd08\n") == 4
    assert "Features\t: fp asimd evtstrm crc32 cpuid\n" in text
    assert text.endswith("\n\n")


def test_the_guest_sees_the_targets_cpu_and_caches(tmp_path: Path) -> None:
    write_cpu_view(tmp_path, find_target("rpi5"))
    system = tmp_path / "sys" / "devices" / "system" / "cpu"
    assert (tmp_path / "proc" / "cpuinfo").read_text().count("processor\t") == 4
    assert (system / "possible").read_text() == "0-3\n"
    levels = [(system / "cpu3" / "cache" / f"index{number}") for number in range(3)]
    assert [(each / "size").read_text() for each in levels] == ["64K\n", "512K\n", "2048K\n"]
    assert [(each / "type").read_text() for each in levels] == ["Data\n", "Unified\n", "Unified\n"]
    assert [(each / "shared_cpu_list").read_text() for each in levels] == ["3\n", "3\n", "0-3\n"]
    assert [(each / "shared_cpu_map").read_text() for each in levels] == ["8\n", "8\n", "f\n"]


def test_preparing_twice_downloads_nothing_again() -> None:
    first, notes = prepare(RPI4, Silent()), Notes()
    assert prepare(RPI4, notes) == first == find_emulator(RPI4)
    assert not notes.texts


def test_a_target_that_nothing_emulates_is_reported() -> None:
    for function in (find_emulator, lambda target: prepare(target, Silent())):
        with pytest.raises(EmulatorError, match="no emulator runs the instruction sets of x86-vnni"):
            function(find_target("x86-vnni"))


def test_without_apt_the_container_is_pointed_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_EMULATORS", str(tmp_path / "emulators"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmulatorError, match="with apt, which this") as raised:
        prepare(RPI4, Silent())
    assert "--runner container" in raised.value.hint
    monkeypatch.setattr(emulator.sys, "platform", "darwin")
    with pytest.raises(EmulatorError, match="this is darwin") as raised:
        prepare(RPI4, Silent())
    assert "--runner container" in raised.value.hint


def test_a_download_that_fails_leaves_nothing_that_looks_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """apt-get and pip are there, and there is no network: apt-get fails as it does then."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name in ("apt-get", "dpkg-deb"):
        (bin_folder / name).write_text("#!/bin/sh\necho 'E: Could not resolve the mirror' >&2\nexit 100\n")
        (bin_folder / name).chmod(0o755)
    monkeypatch.setenv("EDGEKIT_EMULATORS", str(tmp_path / "emulators"))
    monkeypatch.setenv("PATH", f"{bin_folder}:/bin:/usr/bin")
    with pytest.raises(FetchError, match="apt-get update failed: E: Could not resolve the mirror"):
        prepare(RPI4, Silent())
    with pytest.raises(EmulatorError, match="not set up") as raised:
        find_emulator(RPI4)
    assert raised.value.hint == "edgekit setup rpi4"


def test_another_runtime_is_set_up_beside_the_first_one() -> None:
    """Both find the same root file system."""
    litert = RPI4.on(next(each for each in RPI4.runtimes if each.name == "ai-edge-litert"))
    first, second = prepare(RPI4, Silent()), prepare(litert, Silent())
    assert first.root == second.root and first.site[0] != second.site[0]


def test_a_runtime_that_is_not_set_up_is_told_with_what_sets_it_up() -> None:
    prepare(RPI4, Silent())
    old = RPI4.on(Runtime(name="onnxruntime", version="1.0.0"))
    with pytest.raises(EmulatorError, match="onnxruntime for the emulator of rpi4 is not set up") as raised:
        find_emulator(old, "edgekit setup rpi4 --runtimes onnxruntime")
    assert raised.value.hint == "edgekit setup rpi4 --runtimes onnxruntime"


def test_without_a_compiler_all_but_the_counts_is_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(RPI4, Silent())
    link_kept(emulator.emulators_folder(), tmp_path, "counters-")
    monkeypatch.setenv("EDGEKIT_EMULATORS", str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler")
    notes = Notes()
    assert prepare(RPI4, notes).plugin is None
    assert any("no instructions are counted and no latency is predicted: there is no C" in each for each in notes.texts)
    monkeypatch.setattr(emulator, "compile_plugin", lambda folder: copied(Path("/bin/true"), folder))
    notes = Notes()
    assert prepare(RPI4, notes).plugin is None
    assert any("does not take the plugin" in each for each in notes.texts)


def test_a_qemu_of_the_system_gives_way_to_one_that_takes_plugins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(RPI4, Silent())
    kept = emulator.emulators_folder()
    folder, programs = tmp_path / "emulators", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    link_kept(kept, folder, "counters-", "qemu-user-")
    (programs / "qemu-aarch64-static").write_text("#!/bin/sh\necho qemu-aarch64 version 7.2.0\n")
    (programs / "qemu-aarch64-static").chmod(0o755)
    monkeypatch.setenv("EDGEKIT_EMULATORS", str(folder))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    assert find_emulator(RPI4).qemu == (str(programs / "qemu-aarch64-static"),)
    monkeypatch.setattr(emulator, "_fetch_qemu", lambda *_: link_kept(kept, folder, but="qemu-user-"))
    prepared = prepare(RPI4, Silent())
    assert prepared.qemu[0].startswith(str(folder)) and (prepared.plugin is not None) == bool(shutil.which("cc"))


def link_kept(kept: Path, folder: Path, *without: str, but: str = "") -> None:
    """Links to what is kept, without entries that begin so, or only to those that do."""
    for each in kept.iterdir():
        if not each.name.startswith(without or ("\n",)) and each.name.startswith(but) and each.suffix != ".lock":
            (folder / each.name).symlink_to(each)


def copied(file: Path, folder: Path) -> Path:
    path = plugin_path(folder)
    path.parent.mkdir()
    path.write_bytes(file.read_bytes())
    return path


def test_what_was_changed_in_the_cache_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(RPI4, Silent())
    kept = emulator.emulators_folder()
    for each in kept.iterdir():
        if each.name.startswith("qemu-user-"):
            if each.is_dir():
                shutil.copytree(each, tmp_path / each.name, symlinks=True)
            else:
                shutil.copy(each, tmp_path)
    link_kept(kept, tmp_path, "qemu-user-")
    monkeypatch.setenv("EDGEKIT_EMULATORS", str(tmp_path))
    monkeypatch.setattr(emulator.shutil, "which", lambda _: None)  # no qemu of the system
    assert find_emulator(RPI4).qemu[0].startswith(str(tmp_path))
    program = next(tmp_path.glob("qemu-user-*/usr/bin/qemu-aarch64"))
    with program.open("ab") as file:
        file.write(b"x")
    monkeypatch.setattr(sealed, "_SOUND", set())
    with pytest.raises(EmulatorError, match="the emulator for rpi4 is not set up"):
        find_emulator(RPI4)


def test_a_view_that_was_changed_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(RPI4, Silent())
    link_kept(emulator.emulators_folder(), tmp_path, "python-arm64")
    (base,) = emulator.emulators_folder().glob("python-arm64*")
    (tmp_path / base.name).mkdir()
    for name in ("root", "root.sealed"):
        (tmp_path / base.name / name).symlink_to(base / name)
    monkeypatch.setenv("EDGEKIT_EMULATORS", str(tmp_path))
    root = find_emulator(RPI4).root
    assert root
    (root / "proc" / "cpuinfo").write_text("another")
    (root / "usr").unlink()
    (root / "usr").symlink_to("/usr")
    assert find_emulator(RPI4).root == root
    assert "0xd08" in (root / "proc" / "cpuinfo").read_text() and (root / "usr").readlink() != Path("/usr")


def test_what_is_downloaded_sets_up_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here with packages of one file each."""
    mirror, index, taken = tmp_path / "mirror", tmp_path / "index", tmp_path / "taken"
    mirror.mkdir()
    debs = [write_package(mirror, name, "1") for name in ("qemu-user", "python3.11-minimal")]
    wheel = write_wheel(index, "onnxruntime", RPI4.runtime.version)
    pins = [{each.name: sha256(each)} for each in (*debs, wheel)]
    packages = {emulator_packages(this_host().arch).name: pins[0], guest_packages("aarch64").name: pins[1]}
    wheels = {f"onnxruntime-{RPI4.runtime.version}-cp311-aarch64": pins[2]}
    monkeypatch.setattr(lock, "shipped_lock", lambda: Lock(wheels, packages))
    monkeypatch.setenv("EDGEKIT_EMULATORS", str(tmp_path / "emulators"))
    use_mirror(mirror, monkeypatch)
    use_index(index, monkeypatch)
    emulator.download_emulator(RPI4, taken, Silent(), Source())
    assert {each.name for each in taken.iterdir()} == {each.name for each in (*debs, wheel)}
    again = tmp_path / "again"
    emulator.download_emulator(RPI4, again, Silent(), Source(taken))
    assert {each.name for each in again.iterdir()} == {each.name for each in taken.iterdir()}
    with pytest.raises(EmulatorError, match="no emulator runs the instruction sets of x86-vnni"):
        emulator.download_emulator(find_target("x86-vnni"), again, Silent(), Source())
