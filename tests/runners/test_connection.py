import socket
from pathlib import Path

import pytest

from edgekit.errors import BoardError
from edgekit.runners.address import Address, address_of
from edgekit.runners.answers import Look
from edgekit.runners.connection import Request, answer
from tests.sshd import Sshd

LOOK = Request({"do": "look", "worker": "def machine_state(): return {}", "packages": []})


def test_a_board_answers(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_SSH", sshd.client)
    result = answer(address_of(sshd.url), LOOK, Look)
    assert result.system == "Linux" and result.memory and result.free_memory
    assert result.memory > result.free_memory > 0 and result.free_disk > 0


@pytest.mark.parametrize(
    ("options", "expected", "remedy"),
    [
        ((), "it refuses the login", "ssh-copy-id"),
        (("UserKnownHostsFile=/dev/null",), "its host key is unknown", "accept it once: ssh "),
        (("UserKnownHostsFile=FOLDER/other",), "its host key differs from the known one", "ssh-keygen -R"),
    ],
)
def test_why_a_board_cannot_be_used(
    options: tuple[str, ...], expected: str, remedy: str, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sshd.folder / "other").write_text(f"[127.0.0.1]:{sshd.port} {(sshd.folder / 'user.pub').read_text()}")
    lines = [each.replace("FOLDER", str(sshd.folder)) for each in options]
    known = f"UserKnownHostsFile={sshd.folder / 'known'}"
    monkeypatch.setenv("EDGEKIT_SSH", sshd.client_with(*lines, known, "IdentityFile=/dev/null"))
    with pytest.raises(BoardError, match=expected) as failed:
        answer(address_of(sshd.url), LOOK, Look)
    assert remedy in failed.value.hint and str(sshd.port) in failed.value.hint


def test_a_board_that_is_not_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(BoardError, match="nothing listens on that port"):
            answer(Address("127.0.0.1", port=unused.getsockname()[1]), LOOK, Look)
    with pytest.raises(BoardError, match="the host name is unknown"):
        answer(Address("no-such-board.invalid"), LOOK, Look)


def test_a_board_without_python(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = sshd.client.replace("ssh ", f"{tmp_path / 'ssh'} ", 1)
    (tmp_path / "ssh").write_text(
        "#!/usr/bin/env python3\nimport os, sys\n"
        "os.execvp('ssh', ['ssh', *sys.argv[1:-1], sys.argv[-1].replace('python3', 'python-that-is-not-there')])\n"
    )
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("EDGEKIT_SSH", client)
    with pytest.raises(BoardError, match="there is no python3 on") as failed:
        answer(address_of(sshd.url), LOOK, Look)
    assert "apt install python3" in failed.value.hint


def test_a_machine_without_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_SSH", "ssh-that-is-not-there -v")
    with pytest.raises(BoardError, match="there is no ssh-that-is-not-there on this machine"):
        answer(Address("board"), LOOK, Look)


def test_a_board_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.runners.connection._ANSWER_S", 0.5)
    (tmp_path / "ssh").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("EDGEKIT_SSH", str(tmp_path / "ssh"))
    with pytest.raises(BoardError, match="sent no output within the time limit while its state was read"):
        answer(Address("board"), LOOK, Look)
