import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.host import this_host
from edgekit.target_files import find_target, load_target, shipped_folder
from tests.sshd import Sshd

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_targets_are_listed_with_a_projects_own(run_edgekit: Run, tmp_path: Path) -> None:
    assert "rpi-zero2w" in run_edgekit("targets").stdout
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "board.toml").write_text((shipped_folder() / "rpi4.toml").read_text())
    data = json.loads(run_edgekit("targets", "-C", tmp_path, "list", "--json").stdout)
    assert "board" in {each["id"] for each in data["targets"]}
    assert "cortex-a72" in run_edgekit("targets", "-C", tmp_path, "show", "board").stdout


def test_a_target_is_shown_as_a_file_that_describes_it(run_edgekit: Run, tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "mine.toml").write_text('base = "rpi4"\ncores = 2\n')
    done = run_edgekit("targets", "-C", tmp_path, "show", "mine", "--toml")
    (tmp_path / "mine.toml").write_text(done.stdout)
    assert load_target(tmp_path / "mine.toml") == find_target("rpi4").copy_with(id="mine", cores=2)
    assert run_edgekit("targets", "show", "rpi4", "--toml", "--json").returncode == 2


def test_a_wrong_file_is_reported_beside_the_others(run_edgekit: Run, tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "wrong.toml").write_text("cores = 1\n")
    done = run_edgekit("targets", "-C", tmp_path)
    assert done.returncode == 0 and "rpi4" in done.stdout
    assert "warning: " in done.stderr and "wrong.toml: 'name', 'arch'" in done.stderr
    data = json.loads(run_edgekit("targets", "-C", tmp_path, "list", "--json").stdout)
    assert len(data["errors"]) == 1 and "wrong.toml" in data["errors"][0]["message"]
    assert run_edgekit("targets", "-C", tmp_path, "show", "rpi4").returncode == 0
    assert run_edgekit("targets", "-C", tmp_path, "show", "wrong").returncode == 2


def test_a_board_says_what_it_is_and_becomes_a_target(run_edgekit: Run, sshd: Sshd, tmp_path: Path) -> None:
    check = ("targets", "-C", tmp_path, "check", sshd.url)
    done = run_edgekit(*check, "--write", "my-board", EDGEKIT_SSH=sshd.client)
    assert done.returncode == 0, done.stderr
    assert (
        "the address is this machine" in done.stdout
        and f"written: {tmp_path / 'targets' / 'my-board.toml'}" in done.stdout
    )
    assert max(map(len, done.stdout.splitlines())) <= 80 or str(tmp_path) in done.stdout
    assert load_target(tmp_path / "targets" / "my-board.toml").is_this(this_host())
    data = json.loads(run_edgekit(*check, "--json", EDGEKIT_SSH=sshd.client).stdout)
    assert data["here"] and "my-board" in data["targets"]


@pytest.mark.parametrize(
    ("board", "written", "code", "message"),
    [
        ("ssh://127.0.0.1:1", "there", 2, "there.toml is there already"),
        ("ssh://127.0.0.1:1", "../out", 2, "'../out' is no id"),
        ("ssh://127.0.0.1:1", "board", 3, "127.0.0.1:1 cannot be used: nothing listens on that port"),
        ("127.0.0.1", "board", 2, "127.0.0.1 is not the address of a board"),
    ],
)
def test_a_board_that_cannot_be_asked(
    board: str, written: str, code: int, message: str, run_edgekit: Run, tmp_path: Path
) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "there.toml").write_text((shipped_folder() / "rpi4.toml").read_text())
    done = run_edgekit("targets", "-C", tmp_path, "check", board, "--write", written)
    assert done.returncode == code and message in done.stderr and "hint: " in done.stderr
    assert [each.name for each in (tmp_path / "targets").iterdir()] == ["there.toml"]
