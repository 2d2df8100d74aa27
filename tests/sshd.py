"""A real sshd on loopback, which takes one key and keeps what it is sent in a folder of its own."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

_PACKAGE = "openssh-server"
_PREPARED = Path(sys.prefix) / "sshd"
_START_S = 10.0


@dataclass(frozen=True)
class Sshd:
    port: int
    folder: Path
    cache: Path
    """What is ~/.cache behind it."""
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"ssh://127.0.0.1:{self.port}"

    @property
    def client(self) -> str:
        """ssh as someone has it set up who knows this host and whom it lets in."""
        return self.client_with(f"IdentityFile={self.folder / 'user'}", f"UserKnownHostsFile={self.folder / 'known'}")

    def client_with(self, *options: str) -> str:
        alone = ("IdentityAgent=none", "IdentitiesOnly=yes", "GlobalKnownHostsFile=none", *options)
        return " ".join(["ssh -F none", *(f"-o {each}" for each in alone)])

    def left(self) -> list[str]:
        """What lies there of edgekit's beside runtimes."""
        names = [each.name for each in (self.cache / "edgekit").glob("*")]
        kept = ("onnxruntime-1.", "ai-edge-litert-2.")
        return [name for name in names if not name.startswith(kept) or name.endswith(".partial")]


def program() -> tuple[Path, Path | None]:
    """The system's sshd, else Debian's, with the folder of libraries that it needs; skips where neither can be had."""
    if not sys.platform.startswith("linux") or not shutil.which("ssh"):
        pytest.skip("an sshd is started on Linux, with OpenSSH's client beside it")
    found = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
    if found:
        return Path(found), None
    if not shutil.which("apt-get"):
        pytest.skip("there is no sshd, and no apt to get one with")
    with FileLock(f"{_PREPARED}.lock"):
        if not _PREPARED.is_dir():
            _fetch()
    library = next(_PREPARED.rglob("libwrap.so.0"), None)
    return _PREPARED / "usr" / "sbin" / "sshd", library.parent if library else None


def _fetch() -> None:
    """Unpack Debian's package and what it needs that is not installed, without root."""
    staging = _PREPARED.with_name("sshd.partial")
    shutil.rmtree(staging, ignore_errors=True)
    state, unpacked = staging / "apt", staging / "unpacked"
    for folder in (state / "lists" / "partial", state / "archives" / "partial"):
        folder.mkdir(parents=True)
    values = {
        "Dir::State": state,
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": state,
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "1",
        "APT::Keep-Downloaded-Packages": "1",
        "DPkg::Post-Invoke": "",
        "APT::Update::Post-Invoke": "",
    }
    apt = ["apt-get", "-qq", *(part for name, value in values.items() for part in ("-o", f"{name}={value}"))]
    subprocess.run([*apt, "update"], check=True)
    wanted = ["install", "--yes", "--no-install-recommends", "--download-only", _PACKAGE]
    subprocess.run([*apt, *wanted], check=True, stdout=subprocess.DEVNULL)
    for package in (state / "archives").glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)
    unpacked.rename(_PREPARED)
    shutil.rmtree(staging)


@contextmanager
def started(folder: Path, *, disk: str = "", path: Path | None = None) -> Iterator[Sshd]:
    """An sshd for the user of the tests; with `disk`, what it keeps goes to a disk of that size, such as 2m; with
    `path`, programs there come first behind it."""
    sshd, libraries = program()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    cache = folder / "cache"
    cache.mkdir()
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nAuthorizedKeysFile {folder / 'user.pub'}\n"
        f"StrictModes no\nUsePAM no\nPidFile none\nSetEnv XDG_CACHE_HOME={cache}\n"
        + (f'ForceCommand PATH={path}:$PATH exec sh -c "$SSH_ORIGINAL_COMMAND"\n' if path else "")
    )
    command = [str(sshd), "-D", "-e", "-f", str(folder / "config")]
    if os.getuid() == 0:
        command = _as_root(command, folder, f"mount -t tmpfs -o size={disk} none {cache} &&" if disk else "")
    elif disk:
        pytest.skip("a small disk is mounted as root")
    environment = {**os.environ, **({"LD_LIBRARY_PATH": str(libraries)} if libraries else {})}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, env=environment)
    try:
        _await(process, port, folder / "log")
        yield Sshd(port, folder, cache, process)
    finally:
        process.kill()
        process.wait()


def _as_root(command: list[str], folder: Path, before: str) -> list[str]:
    """In name spaces of its own, where it finds the user and the folder that it asks for as root."""
    users = Path("/etc/passwd").read_text()
    if "\nsshd:" not in users:
        users += "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
    (folder / "passwd").write_text(users)
    inside = f"mount --bind {folder / 'passwd'} /etc/passwd && mount -t tmpfs none /run && mkdir /run/sshd &&"
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("root may not make a mount name space here")
    return ["unshare", "-m", "sh", "-c", f"{inside} {before} exec {' '.join(command)}"]


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _START_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, f"sshd did not start: {log.read_text()}"
        assert time.monotonic() < until, f"sshd does not listen: {log.read_text()}"
        time.sleep(0.05)
