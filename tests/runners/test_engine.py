import json
from pathlib import Path

import pytest

from edgekit.errors import ContainerError
from edgekit.runners.engine import ContainerLimits, Engine, enforces_memory, find_engine, run_options

DOCKER = {"ServerVersion": "28.2.2", "MemTotal": 8_000_000_000, "NCPU": 8, "Architecture": "aarch64"}
DOWN = {"ServerErrors": ["Cannot connect to the Docker daemon at unix:///var/run/docker.sock."]}
REFUSED = {"ServerErrors": ["permission denied while trying to connect to the Docker daemon socket"]}
PODMAN = {
    "host": {"memTotal": 2_000_000_000, "cpus": 4, "arch": "amd64"},
    "version": {"Version": "4.3.1"},
}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test puts what answers as an engine does."""
    monkeypatch.setenv("EDGEKIT_CONTAINER", str(tmp_path / "engine"))
    return tmp_path / "engine"


def written(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("told", "version", "memory", "cpus"),
    [(DOCKER, "28.2.2", 8_000_000_000, 8), (PODMAN, "4.3.1", 2_000_000_000, 4)],
)
def test_docker_and_podman_tell_what_they_are(
    told: dict[str, object], version: str, memory: int, cpus: int, program: Path
) -> None:
    written(program, f"echo '{json.dumps(told)}'")
    found = find_engine()
    assert (found.version, found.memory_bytes, found.cpus) == (version, memory, cpus)


@pytest.mark.parametrize(
    ("told", "message", "hint"),
    [
        (DOWN, "the daemon of .* does not answer: Cannot connect to the Docker daemon", "start it"),
        (REFUSED, "denies access: permission denied", "join the group"),
        ({}, "the daemon of .* does not answer: no message", "start it"),
    ],
)
def test_an_engine_that_does_not_serve_says_why(
    told: dict[str, object], message: str, hint: str, program: Path
) -> None:
    written(program, f"echo '{json.dumps(told)}'; exit 1")
    with pytest.raises(ContainerError, match=message) as failed:
        find_engine()
    assert hint in failed.value.hint


def test_a_machine_without_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEKIT_CONTAINER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ContainerError, match="there is no docker and no podman on this machine"):
        find_engine()


@pytest.mark.parametrize(
    ("script", "holds"),
    [
        ("for size; do :; done; [ $size -lt 67108864 ] && echo held", True),
        ("echo held", False),
        ("exit 137", False),
    ],
)
def test_a_limit_holds_where_the_larger_is_ended_and_the_smaller_is_not(
    script: str, holds: bool, tmp_path: Path
) -> None:
    written(tmp_path / "engine", script)
    engine = Engine((str(tmp_path / "engine"),), "1", 2**33, 4, "amd64")
    assert enforces_memory(engine, "image") is holds


def test_a_container_has_no_root_no_network_and_leaves_nothing() -> None:
    text = " ".join(run_options(ContainerLimits(2**30, 2)))
    for option in ("--rm", "--init", "--read-only", "--network none", "--user 65534:65534", "--cap-drop ALL"):
        assert option in text
    assert "--memory 1073741824 --memory-swap 1073741824 --cpus 2" in text
