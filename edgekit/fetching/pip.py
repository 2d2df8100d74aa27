"""pip, with the network settings of the user's configuration and none of its other settings."""

import ast
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.architectures import ARCHITECTURES
from edgekit.children import module_command
from edgekit.fetching.lock import Files, Wheels
from edgekit.fetching.tools import run_tool

_NETWORK = {
    *("index-url", "extra-index-url", "find-links", "no-index", "proxy", "cert", "client-cert", "trusted-host"),
    *("timeout", "default-timeout", "retries"),
}
"""Settings that say where files come from; the lock says what they must be."""

_MISMATCH = "DO NOT MATCH THE HASHES"


def download_wheels(wheels: Wheels, files: Files, folder: Path, hint: str) -> None:
    """Download the files of a set of wheels to a folder. Raises FetchError with `hint` if the index does not have them,
    or has others."""
    hashed = _requirements(files, folder)
    options = ["--dest", str(folder), "--no-deps", "--require-hashes", "--requirement", str(hashed)]
    another = f"the index serves other files for {wheels} than edgekit pins", "do not use it; find out who changed them"
    meanings = {_MISMATCH: another}
    _run_pip(["download", *options, *_platform(wheels)], _network_settings(), hint, meanings)
    hashed.unlink()


def resolve_wheels(wheels: Wheels, folder: Path, hint: str, *, configured: bool = True) -> None:
    """Download to a folder a runtime's wheel and all that it needs, in the versions that the index serves now; with the
    user's network settings if `configured`, else from the public index."""
    runtime = wheels.runtime
    wanted = [f"{runtime.name}=={runtime.version}"]
    if ARCHITECTURES[wheels.arch].has_numpy_wheel:
        wanted.append(runtime.spec.numpy)
    else:
        wanted.append("--no-deps")
    settings = _network_settings() if configured else {}
    _run_pip(["download", "--dest", str(folder), *_platform(wheels), *wanted], settings, hint)


def install_files(wheels: Wheels, files: Files, downloaded: Path, site: Path, hint: str) -> None:
    """Install downloaded files into `site`, a folder for PYTHONPATH. Raises FetchError with `hint` if pip fails."""
    hashed = _requirements(files, downloaded)
    options = ["--target", str(site), "--no-compile", "--no-deps", "--require-hashes", "--requirement", str(hashed)]
    options += ["--no-index", "--find-links", str(downloaded)]
    _run_pip(["install", *options, *_platform(wheels)], {}, hint)
    hashed.unlink()


def _run_pip(
    arguments: Sequence[str],
    settings: Mapping[str, str],
    hint: str,
    meanings: Mapping[str, tuple[str, str]] | None = None,
) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment = {**own, **settings, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INPUT": "1"}
    # pip's upgrade notice would be the last line of the output.
    command = module_command("pip", ["--disable-pip-version-check", *arguments, "--quiet"])
    run_tool(command, "pip", hint, environment=environment, meanings=meanings)


def _network_settings() -> dict[str, str]:
    """The settings of _NETWORK from the user's files and environment, as environment variables of pip."""
    found = {}
    for line in run_tool(
        module_command("pip", ["config", "list"]), "pip config", "repair pip's configuration"
    ).splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2]
        if name in _NETWORK and value:
            found[f"PIP_{name.upper().replace('-', '_')}"] = str(ast.literal_eval(value))
    return found


def _requirements(files: Files, folder: Path) -> Path:
    """A file of requirements, each with its digest."""
    lines = []
    for name, digest in files.items():
        package, version, *_ = name.split("-")
        lines.append(f"{package}=={version} --hash=sha256:{digest}\n")
    path = folder / "requirements.txt"
    path.write_text("".join(lines))
    return path


def _platform(wheels: Wheels) -> list[str]:
    platforms = [f"manylinux_2_{glibc}_{wheels.arch}" for glibc in (34, 28, 27, 17)] + [f"manylinux2014_{wheels.arch}"]
    options = [part for each in platforms for part in ("--platform", each)]
    return [*options, "--only-binary=:all:", "--python-version", wheels.python, "--implementation", "cp"]
