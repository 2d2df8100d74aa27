"""Emulator: qemu and a root file system for a target's CPU, set up once, without root, in the user's cache."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock

from edgekit.architectures import ARCHITECTURES
from edgekit.errors import EmulatorError, last_line, storage_errors
from edgekit.files import folder_bytes, sha256_of_json, write_bytes, write_json
from edgekit.host import this_host
from edgekit.instruction_counts.plugin import can_be_counted, compile_plugin, plugin_options, plugin_path
from edgekit.progress import Progress
from edgekit.runners.wheels import fetch_wheels, run_tool, wheels_name
from edgekit.scratch import temporary_folder
from edgekit.target import CpuInfo, Target

_QEMU_PACKAGE = "qemu-user"
"""The dynamic build, because the static one does not support plugins."""
_QEMU_FOLDER = "qemu-user"
_ROOT_PACKAGES = ("python3-minimal", "libpython3-stdlib", "libstdc++6")
_NUMPY_PACKAGE = "python3-numpy"
"""For 32-bit ARM, which has no numpy wheel."""
_PACKAGES = Path("usr/lib/python3/dist-packages")
"""The folder of Debian's Python packages."""
_MARK = "ready.json"

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


def find_emulator(target: Target, hint: str = "") -> Emulator:
    """The emulator that `prepare` set up for a target and its runtime. Raises EmulatorError if there is none, with
    `hint` if setting up the target alone is not enough."""
    if not can_emulate(target):
        raise EmulatorError(
            f"no emulator runs the instruction sets of {target.id}", f"measure on the target itself: {target.name}"
        )
    qemu, shares_host = _qemu_command(target.arch), _shares_host(target)
    base = emulators_folder() / target.arch
    is_there = qemu is not None and (shares_host or (base / _MARK).is_file())
    site = wheels_folder() / wheels_name(target.runtime, target.arch, _python_of(target)) if is_there else None
    if qemu is None or site is None or not site.is_dir():
        what = f"{target.runtime.name} for the emulator of" if is_there and hint else "the emulator for"
        raise EmulatorError(f"{what} {target.id} is not set up", hint or f"edgekit setup {target.id}")
    kept = plugin_path(emulators_folder())
    plugin = kept if can_be_counted(target) and kept.is_file() else None
    if shares_host:
        return Emulator(qemu, _qemu_version(qemu), target.cpu, None, (site,), _host_python(), plugin)
    root = _root_with_cpu(base, target) if target.cpuinfo else base / "root"
    packages = (site, *([] if ARCHITECTURES[target.arch].has_numpy_wheel else [root / _PACKAGES]))
    return Emulator(qemu, _qemu_version(qemu), target.cpu, root, packages, _guest_python(root), plugin)


def prepare(target: Target, progress: Progress) -> Emulator:
    """Set up what is missing of a target's emulator, without root, in `emulators_folder()`.

    Raises EmulatorError if the host cannot: no apt and no qemu, no network, no wheel for the pinned runtime.
    """
    if not can_emulate(target):
        raise EmulatorError(
            f"no emulator runs the instruction sets of {target.id}", f"measure on the target itself: {target.name}"
        )
    if not sys.platform.startswith("linux"):
        raise EmulatorError(f"user-mode emulation needs Linux, and this is {sys.platform}", CONTAINER_HINT)
    folder = emulators_folder()
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "setup.lock"):
        if _qemu_command(target.arch) is None:
            progress.note(f"downloading {_QEMU_PACKAGE} (Debian) to {folder / _QEMU_FOLDER}")
            _fetch_qemu(folder)
        base = folder / target.arch
        if not _shares_host(target) and not (base / _MARK).is_file():
            _fetch_root(target.arch, base, progress)
        shutil.rmtree(folder / "apt", ignore_errors=True)
        fetch_wheels(
            wheels_folder(),
            target.runtime,
            target.arch,
            _python_of(target),
            EmulatorError,
            CONTAINER_HINT,
            progress,
        )
        if can_be_counted(target):
            _prepare_plugin(target, progress)
    return find_emulator(target)


def _prepare_plugin(target: Target, progress: Progress) -> None:
    """Compile the counting plugin and try it with the target's emulator. Without it, everything works except for
    counts."""
    if plugin_path(emulators_folder()).is_file():
        return
    try:
        if not (emulators_folder() / _QEMU_FOLDER).is_dir():  # the system's may be the static build
            _fetch_qemu(emulators_folder())
        plugin = compile_plugin(emulators_folder())
        progress.note("compiled the instruction-counting plugin")
        _try_plugin(plugin, target)
    except EmulatorError as error:
        plugin_path(emulators_folder()).unlink(missing_ok=True)
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


def _python_of(target: Target) -> str:
    """The Python version of a target's runtime, in the form of wheel tags: 311."""
    if _shares_host(target):
        return f"{sys.version_info.major}{sys.version_info.minor}"
    return _guest_python(emulators_folder() / target.arch / "root").name.removeprefix("python").replace(".", "")


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
    ours = emulators_folder() / _QEMU_FOLDER
    if (ours / "usr" / "bin" / name).is_file():
        loader = next(each for each in sorted(ours.glob("**/ld-linux*.so.*")) if each.is_file())
        libraries = [str(loader.parent), str(ours / "usr" / "lib" / loader.parent.name)]
        return str(loader), "--library-path", ":".join(libraries), str(ours / "usr" / "bin" / name)
    found = shutil.which(f"{name}-static") or shutil.which(name)
    return (found,) if found else None


def _qemu_version(qemu: Sequence[str]) -> str:
    output = subprocess.run([*qemu, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d+\.\d+\.\d+)", output)
    return f"qemu {found.group(1)}" if found else "qemu"


def _fetch_qemu(folder: Path) -> None:
    staging = folder / f"{_QEMU_FOLDER}.partial"
    shutil.rmtree(staging, ignore_errors=True)
    for package in _download((_QEMU_PACKAGE,), ARCHITECTURES[this_host().arch].debian, folder / "apt"):
        _unpack(package, staging)
    ours = {f"qemu-{each.qemu}" for each in ARCHITECTURES.values()}
    for program in (staging / "usr" / "bin").iterdir():
        if program.name not in ours:
            program.unlink()
    shutil.rmtree(staging / "usr" / "share", ignore_errors=True)
    # An older edgekit may have left fewer programs, or a build without plugins.
    for older in (_QEMU_FOLDER, "qemu"):
        shutil.rmtree(folder / older, ignore_errors=True)
    staging.rename(folder / _QEMU_FOLDER)


def _fetch_root(arch: str, base: Path, progress: Progress) -> None:
    """Download what targets of an architecture share: a root file system with Python."""
    staging = base.with_name(f"{base.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    progress.note(f"downloading Python for {arch} (Debian) to {base}")
    root = staging / "root"
    numpy = () if ARCHITECTURES[arch].has_numpy_wheel else (_NUMPY_PACKAGE,)
    for package in _download((*_ROOT_PACKAGES, *numpy), ARCHITECTURES[arch].debian, emulators_folder() / "apt"):
        _unpack(package, root)
    for library in root.glob("usr/lib/*/*/lib*.so.3"):  # libraries of BLAS, which the packages' installation would link
        (library.parent.parent / library.name).symlink_to(f"{library.parent.name}/{library.name}")
    write_json(staging / _MARK, {"arch": arch})
    shutil.rmtree(base, ignore_errors=True)
    staging.rename(base)


def _download(packages: Sequence[str], arch: str, state: Path) -> list[Path]:
    """The .deb files of packages and their dependencies, downloaded with a separate apt state; the system's is not
    changed."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise EmulatorError("the emulator is set up with apt, which this distribution does not have", CONTAINER_HINT)
    own = state / arch
    archives = own / "cache" / "archives"
    for folder in (own / "state" / "lists" / "partial", archives / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    write_bytes(own / "status", b"")
    options = {
        "APT::Architecture": arch,
        "APT::Architectures": arch,
        "APT::Sandbox::User": "",
        "Dir::State": str(own / "state"),
        "Dir::State::status": str(own / "status"),
        "Dir::Cache": str(own / "cache"),
        "Debug::NoLocking": "1",
        "APT::Keep-Downloaded-Packages": "1",
        "DPkg::Post-Invoke": "",
        "APT::Update::Post-Invoke": "",
    }
    apt = ["apt-get", "-qq", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]
    for stale in archives.glob("*.deb"):
        stale.unlink()
    install = ["install", "--yes", "--no-install-recommends", "--download-only", *packages]
    stale_index: EmulatorError | None = None
    try:
        run_tool([*apt, "update"], "apt-get update", EmulatorError, CONTAINER_HINT)
    except EmulatorError as error:  # one of several indices may be incomplete; the others may suffice
        stale_index = error
    try:
        run_tool([*apt, *install], "apt-get", EmulatorError, CONTAINER_HINT)
    except EmulatorError as error:
        raise stale_index or error from error
    return sorted(archives.glob("*.deb"))


def _unpack(package: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    again = "remove the emulators' folder and run edgekit setup again"
    run_tool(["dpkg-deb", "-x", str(package), str(folder)], "dpkg-deb", EmulatorError, again)


def _root_with_cpu(base: Path, target: Target) -> Path:
    """A view of the shared root in which the kernel reports the target's CPU.

    The runtime chooses its kernels by that report; the host's /proc/cpuinfo, of another architecture, crashes it.
    """
    files = _cpu_files(target)
    view = base / f"cpu-{sha256_of_json(files)[:12]}"
    if (view / _MARK).is_file():
        return view
    write_cpu_view(view, target)
    for entry in sorted((base / "root").iterdir()):
        link = view / entry.name
        if entry.name not in ("proc", "sys") and not link.is_symlink():
            link.symlink_to(entry.resolve() if entry.is_symlink() else entry)
    write_json(view / _MARK, {"cpu": target.cpu})
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
