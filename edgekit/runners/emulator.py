"""Emulator: qemu and a root file system for a target's CPU, set up once, without root, in the user's cache."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock

from edgekit.architectures import ARCHITECTURES
from edgekit.errors import EmulatorError, ToolError, last_line, storage_errors
from edgekit.fetching.kept import forget, is_sound, seal_folder
from edgekit.fetching.lock import Wheels, folder_name
from edgekit.fetching.packages import (
    Packages,
    can_fetch_packages,
    download_packages,
    emulator_packages,
    guest_packages,
    pinned_packages,
    unpack_packages,
)
from edgekit.fetching.source import Source, usual_source
from edgekit.fetching.wheels import download_wheel_files, fetch_wheels, kept_wheels
from edgekit.files import folder_bytes, sha256_of_json, write_bytes
from edgekit.host import this_host
from edgekit.instruction_counts.plugin import can_be_counted, compile_plugin, plugin_options, plugin_path
from edgekit.progress import Progress
from edgekit.scratch import temporary_folder
from edgekit.target import CpuInfo, Target

_PACKAGES = Path("usr/lib/python3/dist-packages")
"""The folder of Debian's Python packages."""

CONTAINER_HINT = "use a container instead: --runner container, with Docker or Podman (README, 'In a container')"


@dataclass(frozen=True)
class Emulator:
    """An emulator that is set up. Paths are this machine's."""

    qemu: tuple[str, ...]
    """The command that starts it."""
    version: str
    """For example qemu 7.2.22."""
    cpu: str
    root: Path | None
    """The guest's root file system; None if the guest shares the host's, which has the same architecture."""
    site: tuple[Path, ...]
    """The folders of the runtime and numpy for the guest."""
    guest_python: Path
    plugin: Path | None = None
    """The counting plugin; None if it is not set up, or does not support this CPU."""

    def command(self, more: Sequence[str] = ()) -> list[str]:
        """The command line up to the guest's program, with `more` options."""
        root = ["-L", str(self.root)] if self.root else []
        return [*self.qemu, "-cpu", self.cpu, *root, *more]

    def python(self) -> list[str]:
        return [str(self.guest_python), "-S"]

    def environment(self) -> dict[str, str]:
        home = {"PYTHONHOME": str(self.root / "usr")} if self.root else {}
        return {**home, "PYTHONPATH": os.pathsep.join(map(str, self.site)), "PYTHONDONTWRITEBYTECODE": "1"}


def emulators_folder() -> Path:
    """The folder of emulators: $EDGEKIT_EMULATORS, by default in the user's cache directory."""
    given = os.environ.get("EDGEKIT_EMULATORS")
    return Path(given) if given else platformdirs.user_cache_path("edgekit") / "emulators"


def wheels_folder() -> Path:
    """The folder of runtimes for other machines."""
    return emulators_folder() / "runtimes"


def can_emulate(target: Target) -> bool:
    """Whether an emulator for the target's CPU exists."""
    return bool(target.cpu)


def check_has_emulator(target: Target) -> None:
    """Raises EmulatorError if no emulator for the target's CPU exists."""
    if not can_emulate(target):
        raise EmulatorError(
            f"no emulator runs the instruction sets of {target.id}", f"measure on the target itself: {target.name}"
        )


def find_emulator(target: Target, hint: str = "") -> Emulator:
    """The emulator that `prepare` set up for a target and its runtime. Raises EmulatorError if there is none, with
    `hint` if setting up the target alone is not enough."""
    check_has_emulator(target)
    qemu, base = _qemu_command(target.arch), _guest_folder(target.arch)
    shares_host = _shares_host(target)
    is_there = qemu is not None and (shares_host or is_sound(base / "root"))
    site = kept_wheels(wheels_folder(), _wheels_of(target)) if is_there else None
    if qemu is None or site is None:
        what = f"{target.runtime.name} for the emulator of" if is_there and hint else "the emulator for"
        raise EmulatorError(f"{what} {target.id} is not set up", hint or f"edgekit setup {target.id}")
    plugin = plugin_path(emulators_folder())
    kept = plugin if can_be_counted(target) and is_sound(plugin.parent) else None
    if shares_host:
        return Emulator(qemu, _qemu_version(qemu), target.cpu, None, (site,), _host_python(), kept)
    root = _root_with_cpu(base, target) if target.cpuinfo else base / "root"
    packages = (site, *([] if ARCHITECTURES[target.arch].has_numpy_wheel else [root / _PACKAGES]))
    return Emulator(qemu, _qemu_version(qemu), target.cpu, root, packages, _guest_python(root), kept)


def prepare(target: Target, progress: Progress, source: Source | None = None) -> Emulator:
    """Set up what is missing or damaged of a target's emulator, without root, in `emulators_folder()`. Files come from
    `source`, by default the indices.

    Raises EmulatorError if the host cannot: no apt and no qemu; FetchError if a file cannot be had as it is pinned.
    """
    check_emulation(target)
    source, folder = source or usual_source(), emulators_folder()
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "setup.lock"):
            if _qemu_command(target.arch) is None:
                _fetch_qemu(source, progress)
            if not _shares_host(target) and not is_sound(_guest_folder(target.arch) / "root"):
                _fetch_root(target.arch, source, progress)
            fetch_wheels(wheels_folder(), _wheels_of(target), source, _unpinned(target), progress)
            if can_be_counted(target):
                _prepare_plugin(target, source, progress)
    return find_emulator(target)


def download_emulator(target: Target, folder: Path, progress: Progress, source: Source) -> None:
    """Download to `folder` all files from which `prepare` sets up a target's emulator, on this machine or another one
    of this architecture. Raises FetchError if one cannot be had as it is pinned."""
    check_emulation(target)
    _check_can_fetch(source)
    wanted = [emulator_packages(this_host().arch)]
    wanted += [] if _shares_host(target) else [guest_packages(target.arch)]
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        emulators_folder().mkdir(parents=True, exist_ok=True)
        for each in wanted:
            progress.note(f"downloading {each.name} (Debian) to {folder}")
            with _whole_files(folder) as staging:
                download_packages(emulators_folder(), each, staging, source)
        wheels = _wheels_of(target)
        progress.note(f"downloading {wheels} to {folder}")
        with _whole_files(folder) as staging:
            download_wheel_files(wheels_folder(), wheels, staging, source, _unpinned(target))


@contextmanager
def _whole_files(folder: Path) -> Iterator[Path]:
    """A temporary folder whose files are moved to `folder` when they are complete."""
    with temporary_folder(folder) as staging:
        yield staging
        for path in staging.iterdir():
            path.replace(folder / path.name)


def _check_can_fetch(source: Source) -> None:
    """Raises EmulatorError if this machine cannot fetch packages from a source."""
    if not can_fetch_packages(source):
        raise EmulatorError("the emulator is set up with apt, which this distribution does not have", CONTAINER_HINT)


def _unpinned(target: Target) -> str:
    return f"edgekit setup {target.id} --unpinned takes what the index has now, and records its digests"


def check_emulation(target: Target) -> None:
    """Raises EmulatorError if nothing emulates a target's CPU on this system."""
    check_has_emulator(target)
    if not sys.platform.startswith("linux"):
        raise EmulatorError(f"user-mode emulation needs Linux, and this is {sys.platform}", CONTAINER_HINT)


def _prepare_plugin(target: Target, source: Source, progress: Progress) -> None:
    """Compile the counting plugin and try it with the target's emulator. Without it, everything works except for
    counts."""
    plugin = plugin_path(emulators_folder())
    if is_sound(plugin.parent):
        return
    forget(plugin.parent)
    shutil.rmtree(plugin.parent, ignore_errors=True)
    try:
        if not is_sound(_qemu_folder()):  # the system's may be the static build
            _fetch_qemu(source, progress)
        compile_plugin(emulators_folder())
        seal_folder(plugin.parent)
        progress.note("compiled the instruction-counting plugin")
        _try_plugin(plugin, target)
    except ToolError as error:
        forget(plugin.parent)
        shutil.rmtree(plugin.parent, ignore_errors=True)
        progress.note(f"no instructions are counted and no latency is predicted: {error.message}; {error.hint}")


def _try_plugin(plugin: Path, target: Target) -> None:
    """Raises EmulatorError if the emulator cannot use it."""
    emulator = find_emulator(target)
    with temporary_folder() as folder:
        out = folder / "counts"
        options = plugin_options(plugin, out, target, by_operator=False)
        program = [*emulator.python(), "-c", "import os; [os.getppid() for _ in range(3)]"]
        command = [*emulator.command(options), *program]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=emulator.environment())
        if done.returncode or not out.is_file() or out.read_text().count("interval") != 2:
            result = last_line(done.stderr) if done.stderr else "it counted no instructions"
            raise EmulatorError(
                f"{emulator.version} does not take the plugin: {result}", "it is for QEMU 5 to 8; Debian 12 has 7.2"
            )


def emulators_bytes() -> int:
    """The size of everything that `prepare` downloaded."""
    return folder_bytes(emulators_folder())


def _shares_host(target: Target) -> bool:
    return target.arch == this_host().arch


def _wheels_of(target: Target) -> Wheels:
    """The wheels of a target's runtime, for the Python that runs them: this one, or the guest's."""
    host = f"{sys.version_info.major}{sys.version_info.minor}"
    python = host if _shares_host(target) else _guest_version(target)
    return Wheels(target.runtime, target.arch, python)


def _guest_version(target: Target) -> str:
    """The version of the guest's Python, in the form of wheel tags: 311."""
    files = pinned_packages(emulators_folder(), guest_packages(target.arch))
    found = [re.match(r"python3\.(\d+)-minimal_", name) for name in files]
    versions = [each.group(1) for each in found if each]
    if not versions:
        raise EmulatorError(f"the emulator for {target.id} is not set up", f"edgekit setup {target.id} --unpinned")
    return f"3{versions[0]}"


def _qemu_folder() -> Path:
    return _kept_folder(emulator_packages(this_host().arch))


def _guest_folder(arch: str) -> Path:
    """The folder of a guest's root file system and its views."""
    return _kept_folder(guest_packages(arch))


def _kept_folder(packages: Packages) -> Path:
    return emulators_folder() / folder_name(packages.name, pinned_packages(emulators_folder(), packages))


def _host_python() -> Path:
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def _guest_python(root: Path) -> Path:
    found = sorted(
        path for path in (root / "usr" / "bin").glob("python3.*") if re.fullmatch(r"python3\.\d+", path.name)
    )
    if not found:
        raise EmulatorError(f"there is no Python in {root}", f"remove {root.parent} and run edgekit setup again")
    return found[-1]


def _qemu_command(arch: str) -> tuple[str, ...] | None:
    """The command that starts qemu for an architecture: the one set up here with its libraries, else the system's."""
    name = f"qemu-{ARCHITECTURES[arch].qemu}"
    ours = _qemu_folder()
    if is_sound(ours) and (ours / "usr" / "bin" / name).is_file():
        loader = next(each for each in sorted(ours.glob("**/ld-linux*.so.*")) if each.is_file())
        libraries = [str(loader.parent), str(ours / "usr" / "lib" / loader.parent.name)]
        return str(loader), "--library-path", ":".join(libraries), str(ours / "usr" / "bin" / name)
    found = shutil.which(f"{name}-static") or shutil.which(name)
    return (found,) if found else None


def _qemu_version(qemu: Sequence[str]) -> str:
    output = subprocess.run([*qemu, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d+\.\d+\.\d+)", output)
    return f"qemu {found.group(1)}" if found else "qemu"


def _fetch_qemu(source: Source, progress: Progress) -> None:
    with _downloaded(emulator_packages(this_host().arch), "qemu", source, progress) as unpacked:
        ours = {f"qemu-{each.qemu}" for each in ARCHITECTURES.values()}
        for program in (unpacked / "usr" / "bin").iterdir():
            if program.name not in ours:
                program.unlink()
        shutil.rmtree(unpacked / "usr" / "share", ignore_errors=True)
        kept = _qemu_folder()
        forget(kept)
        shutil.rmtree(kept, ignore_errors=True)
        unpacked.rename(kept)
    seal_folder(kept)
    for older in ("qemu-user", "qemu"):  # an older edgekit's, which was not pinned
        shutil.rmtree(emulators_folder() / older, ignore_errors=True)


def _fetch_root(arch: str, source: Source, progress: Progress) -> None:
    """Download what targets of an architecture share: a root file system with Python."""
    with _downloaded(guest_packages(arch), f"Python for {arch}", source, progress) as root:
        for library in root.glob("usr/lib/*/*/lib*.so.3"):  # of BLAS, which the packages' installation would link
            (library.parent.parent / library.name).symlink_to(f"{library.parent.name}/{library.name}")
        base = _guest_folder(arch)
        shutil.rmtree(base, ignore_errors=True)  # with the views of the former root
        base.mkdir()
        root.rename(base / "root")
    seal_folder(base / "root")
    shutil.rmtree(emulators_folder() / arch, ignore_errors=True)  # an older edgekit's, which was not pinned


@contextmanager
def _downloaded(packages: Packages, what: str, source: Source, progress: Progress) -> Iterator[Path]:
    """A temporary folder with packages, unpacked."""
    _check_can_fetch(source)
    progress.note(f"downloading {what} (Debian) from {source} to {emulators_folder()}")
    with temporary_folder(emulators_folder()) as staging:
        archives = staging / "archives"
        archives.mkdir()
        files = download_packages(emulators_folder(), packages, archives, source)
        unpack_packages(files, archives, staging / "unpacked")
        yield staging / "unpacked"


def _root_with_cpu(base: Path, target: Target) -> Path:
    """A view of the shared root in which the kernel reports the target's CPU.

    The runtime chooses its kernels by that report; the host's /proc/cpuinfo, of another architecture, crashes it.
    """
    files = _cpu_files(target)
    view = base / f"cpu-{sha256_of_json(files)[:12]}"
    links = {
        view / entry.name: entry.resolve() if entry.is_symlink() else entry
        for entry in sorted((base / "root").iterdir())
        if entry.name not in ("proc", "sys")
    }
    is_whole = all(link.is_symlink() and link.readlink() == place for link, place in links.items())
    if is_whole and all(
        (view / name).is_file() and (view / name).read_text() == f"{text}\n" for name, text in files.items()
    ):
        return view
    write_cpu_view(view, target)
    for link, place in links.items():
        with suppress(FileExistsError):  # another process is at it
            if link.is_symlink() and link.readlink() != place:
                link.unlink()
            link.symlink_to(place)
    return view


def write_cpu_view(folder: Path, target: Target) -> None:
    """Write below `folder` what an ARM machine's root file system reports of its CPU."""
    for name, text in _cpu_files(target).items():
        write_bytes(folder / name, f"{text}\n".encode())


def _cpu_files(target: Target) -> dict[str, str]:
    """What an ARM machine's kernel reports of its CPU, by file path."""
    system, cores = "sys/devices/system/cpu", target.cores or 1
    every = f"0-{cores - 1}" if cores > 1 else "0"
    values = {f"{system}/{name}": every for name in ("possible", "present", "online")}
    if target.cpuinfo:
        values["proc/cpuinfo"] = cpuinfo_text(target.cpuinfo, cores).removesuffix("\n")
    for core in range(cores):
        for number, cache in enumerate(target.caches):
            facts = {
                "level": str(number + 1),
                "type": "Unified" if number else "Data",
                "size": f"{cache.size // 1024}K",
                "ways_of_associativity": str(cache.ways),
                "number_of_sets": str(cache.sets),
                "coherency_line_size": str(cache.line),
                "shared_cpu_list": every if cache.shared else str(core),
                "shared_cpu_map": f"{2**cores - 1 if cache.shared else 2**core:x}",
            }
            values |= {f"{system}/cpu{core}/cache/index{number}/{name}": text for name, text in facts.items()}
    return values


def cpuinfo_text(cpu: CpuInfo, cores: int) -> str:
    """/proc/cpuinfo of an ARM machine with `cores` cores of one kind."""
    block = (
        "BogoMIPS\t: 108.00\n"
        f"Features\t: {' '.join(cpu.features)}\n"
        f"CPU implementer\t: {cpu.implementer}\n"
        "CPU architecture: 8\n"
        f"CPU variant\t: {cpu.variant}\n"
        f"CPU part\t: {cpu.part}\n"
        f"CPU revision\t: {cpu.revision}\n\n"
    )
    return "".join(f"processor\t: {number}\n{block}" for number in range(cores))
