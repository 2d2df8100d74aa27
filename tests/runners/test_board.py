import pytest

from edgekit.errors import BoardError, FetchError
from edgekit.progress import Silent
from edgekit.runners import board as module
from edgekit.runners.address import Address
from edgekit.runners.board import Board, board_at, check_is, provide_runtime
from edgekit.target import Runtime
from edgekit.target_files import find_target
from tests.runners.pi import RPI4, look


def at(monkeypatch: pytest.MonkeyPatch, **told: object) -> Board:
    monkeypatch.setattr(module, "answer", lambda *_: look(**told))
    return board_at(Address("pi"))


def test_a_pi_is_its_target_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    board = at(monkeypatch)
    assert board.name.startswith("Raspberry Pi 4") and board.python == "311" and not board.is_here
    check_is(board, RPI4)
    for other in ("rpi3", "rpi5", "x86-vnni"):
        with pytest.raises(BoardError, match=f"pi is not a {other}: it is Raspberry Pi 4 .*aarch64, 0xd08, neon"):
            check_is(board, find_target(other))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"bits": 32}, "the Python of pi is for armv7l on a 64-bit kernel: aarch64"),
        ({"arch": "armv6l", "bits": 32}, "is for armv6l"),
        ({"arch": "riscv64"}, "is for riscv64"),
        ({"system": "Darwin"}, "pi runs Darwin"),
    ],
)
def test_a_board_that_no_runtime_is_for(
    told: dict[str, object], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BoardError, match=expected):
        at(monkeypatch, **told)


def test_a_board_uses_its_own_runtime_only_where_it_is_the_pinned_one(monkeypatch: pytest.MonkeyPatch) -> None:
    board = at(monkeypatch)
    assert board.has(RPI4.runtime)
    other = Runtime(name="onnxruntime", version="1.30.0")
    kept = board.kept_name(other)
    assert kept.startswith("onnxruntime-1.30.0-cp311-aarch64-")
    assert provide_runtime(at(monkeypatch, kept=[kept]), other, Silent()) == kept
    assert not at(monkeypatch, versions={"onnxruntime": "1.32.0", "numpy": None}).has(RPI4.runtime)


def test_a_python_without_a_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    board = at(monkeypatch, python="3.7.3")
    with pytest.raises(FetchError, match=r"edgekit pins no onnxruntime 1.31.9 for aarch64 and Python 3.7") as failed:
        provide_runtime(board, Runtime(name="onnxruntime", version="1.31.9"), Silent())
    assert "it has 3.7.3" in failed.value.hint
