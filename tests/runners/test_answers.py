"""Answers of a board that lies: each is "answered nonsense", exit 3, in bounded time and memory."""

import io
import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import BoardError, EdgekitError
from edgekit.model.ports import Port
from edgekit.progress import Silent
from edgekit.runners.address import Address
from edgekit.runners.answers import (
    Look,
    NonsenseError,
    check_types,
    lines_of,
    read_events,
    read_outputs,
    read_report,
    receive_files,
    record_in,
    understood,
)
from edgekit.runners.connection import Request, answer
from edgekit.runners.runner import Job
from edgekit.runners.ssh import SshRunner
from tests.runners.lying import ENDED, REPORT, line_of, outputs, run_answer, worker_files, write_board
from tests.runners.pi import RPI4, TOLD

RunEdgekit = Callable[..., subprocess.CompletedProcess[str]]
LIES: dict[str, bytes] = {
    "nothing in it": b"{}\n",
    "no JSON": b"{bad\n",
    "nested deep": b'{"a":' + b"[" * 200_000 + b"\n",
    "keys missing": b'{"system":"Linux","arch":"x86_64"}\n',
    "half a fault": b'{"fault":"full"}\n',
    "another fault": b'{"fault":"other","words":"","folder":""}\n',
    "a number as a name": b'{"system":"Linux","arch":5,"bits":64}\n',
    "a key too many": line_of({**TOLD, "more": 1}),
    "48 bits": line_of({**TOLD, "bits": 48}),
    "a path as an architecture": line_of({**TOLD, "arch": "../../x"}),
    "a path as a version of Python": line_of({**TOLD, "python": "3/../../1"}),
    "a negative memory": line_of({**TOLD, "memory": -1}),
    "a huge memory": line_of({**TOLD, "memory": 10**40}),
    "a huge number of cores": line_of({**TOLD, "cores": 10**9}),
    "not a number": line_of({**TOLD, "machine_state": {"load": float("nan")}}),
    "not Unicode": b'{"system":"\xff\xfe"}\n',
    "a long name": line_of({**TOLD, "model": "x" * 100_000}),
    "a line without an end": b"{" + b"x" * 6_000_000,
    "a greeting without an end": b"x" * 6_000_000,
    "many lines": b'{"said":"' + b"x" * 1000 + b'","memory":0}\n' + (b'{"said":"","memory":0}\n' * 800_000),
}


@pytest.fixture
def lying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def lie(**answers: bytes) -> None:
        monkeypatch.setenv("EDGEKIT_SSH", write_board(tmp_path / "board", **answers))

    return lie


@pytest.mark.parametrize("name", LIES)
def test_a_lie_about_the_hardware(name: str, lying: Callable[..., None]) -> None:
    lying(look=LIES[name])
    with pytest.raises(BoardError, match=r"^pi answered nonsense: .") as failed:
        answer(Address("pi"), Request({"do": "look"}), Look)
    assert failed.value.hint and len(failed.value.message) < 400


def test_the_command_says_so_and_exits_with_3(run_edgekit: RunEdgekit, tmp_path: Path) -> None:
    program = write_board(tmp_path / "board", look=LIES["no JSON"])
    done = run_edgekit("targets", "check", "ssh://pi", EDGEKIT_SSH=program)
    assert done.returncode == 3
    assert done.stderr.splitlines()[0].startswith("error: pi answered nonsense: JSON is malformed")
    assert done.stderr.count("\n") == 2 and "hint: check that it is the machine you mean" in done.stderr


def test_an_answer_behind_a_greeting(lying: Callable[..., None]) -> None:
    lying(look=b"Welcome to Pi\n\xff\n\n" + line_of(TOLD))
    assert answer(Address("pi"), Request({"do": "look"}), Look).model == TOLD["model"]


def test_more_words_than_any_error_has_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\nyes complaint | head -c 50000000 >&2\necho the last words >&2\nexit 255\n")
    program.chmod(0o755)
    monkeypatch.setenv("EDGEKIT_SSH", str(program))
    with pytest.raises(BoardError, match=r"the connection to pi was lost while its state was read: the last words"):
        answer(Address("pi"), Request({"do": "look"}), Look)


def damaged_header(shape: str) -> bytes:
    """A file of outputs with an array that declares this shape, of any size."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(20)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("arr_0.npy", array)
    return written.getvalue()


def bomb() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", bytes(50_000_000))
    return written.getvalue()


def with_round(**values: object) -> bytes:
    """The report with other values in its round."""
    return json.dumps({**REPORT, "rounds": [{**REPORT["rounds"][0], **values}]}).encode()


SOUND = worker_files((1, 2, 5))
FALSE_RESULTS: dict[str, dict[str, bytes]] = {
    "no report": {"result.json": b""},
    "no outputs": {"outputs_0.npz": b""},
    "another form of report": {"result.json": b"[]"},
    "no times": {"result.json": json.dumps({**REPORT, "first_ms": []}).encode()},
    "a time of zero": {"result.json": json.dumps({**REPORT, "first_ms": [0]}).encode()},
    "times that are no numbers": {"result.json": json.dumps({**REPORT, "load_ms": ["fast"]}).encode()},
    "all runs as warm-up": {"result.json": with_round(warm_up=2)},
    "rounds without runs": {"result.json": with_round(latencies_ms=[[]], cpu_ms=[])},
    "fewer CPU times than runs": {"result.json": with_round(cpu_ms=[[0.1]])},
    "an output too many": {"outputs_0.npz": outputs(np.zeros((1, 2)), np.zeros((1, 2)))},
    "words as an output": {"outputs_0.npz": outputs(np.array([["a", "b"]]))},
    "objects": {"outputs_0.npz": outputs(np.array([{}], object))},
    "a bomb": {"outputs_0.npz": bomb()},
    "a large shape": {"outputs_0.npz": damaged_header("(1000000000000, 5)")},
    "a negative shape": {"outputs_0.npz": damaged_header("(-1, -5)")},
    "no shape": {"outputs_0.npz": damaged_header("'x'")},
    "an unclosed shape": {"outputs_0.npz": damaged_header("(((((")},
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE_RESULTS)
def test_false_results_of_a_run(name: str, conv_model: Path, lying: Callable[..., None]) -> None:
    lying(run=run_answer({**SOUND, **FALSE_RESULTS[name]}))
    with pytest.raises(BoardError, match=r"^pi answered nonsense: (result.json|outputs_0.npz): ."):
        SshRunner(Address("pi"), RPI4, Silent()).run(a_job(conv_model))


@pytest.mark.parametrize(
    "files",
    [{"../result.json": 1}, {"/etc/x.json": 1}, {"result.json\n": 1}, {"a": -1}, {"a": 10**12}, {"job.py": "1"}],
    ids=str,
)
def test_files_that_no_run_has(files: dict[str, object], conv_model: Path, lying: Callable[..., None]) -> None:
    lying(run=line_of({**ENDED, "files": files}))
    with pytest.raises(BoardError, match=r"^pi answered nonsense: ."):
        SshRunner(Address("pi"), RPI4, Silent()).run(a_job(conv_model))


def test_files_that_end_early_are_a_lost_connection(conv_model: Path, lying: Callable[..., None]) -> None:
    lying(run=run_answer(SOUND)[:-3])
    with pytest.raises(BoardError, match=r"pi ended while the runtime was imported"):
        SshRunner(Address("pi"), RPI4, Silent()).run(a_job(conv_model))


def test_sound_results_are_taken(conv_model: Path, lying: Callable[..., None]) -> None:
    lying(run=run_answer(SOUND))
    result = SshRunner(Address("pi"), RPI4, Silent()).run(a_job(conv_model))
    assert result.latencies_ms == [[0.2, 0.3]] and result.memory_bytes == 40_000_000
    assert result.outputs[0][0].shape == (1, 2, 5) and result.machine_state["before"]["governor"] == "ondemand"


def a_job(model: Path) -> Job:
    return Job([model], (np.zeros((1, 2, 3, 6, 6), np.float32),))


def test_the_parts(tmp_path: Path) -> None:
    """What the runs above do not reach."""
    with pytest.raises(NonsenseError, match=r"more than"):
        list(lines_of(io.BytesIO(b"x" * 5_000_000)))
    assert not receive_files(io.BytesIO(b"ab"), {"a": 3}, tmp_path)
    path = tmp_path / "profile_0.json"
    for content in (b"{}", b'[{"name": 1}]', b'[{"name": "a", "cat": "b", "ts": "c"}]'):
        path.write_bytes(content)
        with pytest.raises(NonsenseError, match=r"profile_0.json: "):
            read_events(path)
    path.write_text(json.dumps([{"name": "a", "cat": "Node", "ts": 1, "other": [2]}]))
    assert read_events(path)[0]["other"] == [2]
    with pytest.raises(NonsenseError, match=r"result.json: it is missing"):
        read_report(tmp_path / "result.json", 1)
    with pytest.raises(NonsenseError, match=r"an output of type float32 has values of type int64"):
        check_types(tmp_path / "outputs_0.npz", [np.zeros(2, np.int64)], [Port("y", "float32", (2,))])
    with pytest.raises(EdgekitError, match=r"it answered nonsense"), understood("it", BoardError):
        record_in(b"[]", Look)
    (tmp_path / "outputs_0.npz").write_bytes(outputs(np.zeros((2, 3)), np.array(["a"])))
    assert [each.shape for each in read_outputs(tmp_path / "outputs_0.npz")] == [(2, 3), (1,)]
