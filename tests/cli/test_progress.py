import pytest

from edgekit.cli.progress import watcher
from edgekit.progress import Silent


def test_off_a_terminal_progress_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    result = watcher(quiet=False)
    result.step_started("rpi4", 1, 2, "train")
    result.advanced("training", 1, 2, "loss 1")
    result.advanced("training", 2, 2, "loss 0.5")
    result.step_finished("rpi4", 1, 2, "train", cached=False, seconds=1.25)
    result.step_finished("rpi4", 2, 2, "fuse", cached=True, seconds=0.0)
    result.note("something")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "  training 2/2 loss 0.5",
        "rpi4  1/2 train: 1.2 s",
        "rpi4  2/2 fuse: from the cache",
        "something",
    ]


def test_quiet_is_silent() -> None:
    assert type(watcher(quiet=True)) is Silent


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    result = watcher(quiet=False)
    result.step_started("rpi4", 1, 1, "train")
    assert [each.total for each in result.bars.tasks] == [None], "a step that has not reported anything"
    for epoch in range(1, 4):
        result.advanced("training", epoch, 3, "loss 1")
    result.step_finished("rpi4", 1, 1, "train", cached=False, seconds=2.0)
    result.advanced("calibrating", 1, 3)
    result.note("done")
    assert "train: 2.0 s" in capsys.readouterr().err


def test_off_a_terminal_a_step_that_reports_nothing_is_said_to_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edgekit.cli.progress._LINE_EVERY_S", 0.0)
    result = watcher(quiet=False)
    result.step_started("rpi4", 3, 9, "export")
    result.running.join()
    result.step_finished("rpi4", 3, 9, "export", cached=False, seconds=7.0)
    assert capsys.readouterr().err.splitlines() == ["rpi4  3/9 export: running", "rpi4  3/9 export: 7.0 s"]
