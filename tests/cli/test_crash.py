from pathlib import Path

import pytest

from edgekit.cli import crash
from edgekit.cli.crash import write_crash_report
from edgekit.errors import FetchError
from edgekit.fetching.tools import run_tool
from edgekit.version import __version__


def failure(folder: Path) -> Exception:
    """An error that led to another one, with a function of the user's and a name that is a secret on the way."""
    user = folder / "secret_project" / "model.py"
    user.parent.mkdir()
    user.write_text("def score():\n    secret_value = 1 / 0\n")
    space: dict[str, object] = {}
    exec(compile(user.read_text(), str(user), "exec"), space)
    try:
        try:
            space["score"]()  # type: ignore[operator]
        except ZeroDivisionError:
            run_tool(["sh", "-c", "echo a secret message; exit 1"], "tool", "a secret hint")
    except FetchError as error:
        return error
    raise AssertionError("it did not fail")


def test_a_report_has_the_places_and_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    arguments = ["build", "--target", "secret-board", "--inputs=secret.npz", "secret.onnx", "-q"]
    path = write_crash_report(failure(tmp_path), arguments)
    assert path and path.parent == tmp_path / "state" / "edgekit"
    text = path.read_text()
    assert text.startswith(f"edgekit {__version__}\nPython 3.") and "onnxruntime 1." in text
    assert "command: edgekit build --target ... --inputs ... -q\n" in text
    assert "edgekit.errors.FetchError" in text and "builtins.ZeroDivisionError" in text
    assert "  edgekit/fetching/tools.py, line " in text and "in run_tool: raise FetchError(" in text
    assert "  code of the user's, line 2\n" in text and "secret" not in text and str(tmp_path) not in text


def test_it_is_written_elsewhere_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(crash.tempfile, "gettempdir", lambda: str(tmp_path))
    path = write_crash_report(ValueError(), [])
    assert path and path.parent == tmp_path
    monkeypatch.setattr(crash.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    assert write_crash_report(ValueError(), []) is None


def test_old_reports_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = tmp_path / "edgekit"
    folder.mkdir()
    for number in range(30):
        (folder / f"crash-20200101-0000{number:02}-1.txt").write_text("")
    path = write_crash_report(ValueError(), [])
    left = sorted(folder.iterdir())
    assert len(left) == 20 and left[-1] == path
