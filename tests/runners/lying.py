"""A board whose answers a test chooses: a program in place of ssh that takes requests and answers with given bytes."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.runners.pi import TOLD

_PROGRAM = """#!{python}
import json, pathlib, sys
asked = json.loads(sys.stdin.buffer.readline())
sys.stdin.buffer.read(asked["size"])
sys.stdout.buffer.write(pathlib.Path({folder!r}, asked["do"]).read_bytes())
"""
ENDED: dict[str, Any] = {"ended": 0, "words": "", "expired": False, "lost": False, "peak": 0, "emulator": 0}

REPORT: dict[str, Any] = {
    "runtime": "onnxruntime 1.32.0",
    "load_ms": [3.5],
    "first_ms": [0.4],
    "peak_memory": 40_000_000,
    "resident": {"imported": 30_000_000, "loaded": 35_000_000, "ran": 36_000_000},
    "rounds": [{"latencies_ms": [[0.2, 0.3]], "cpu_ms": [[0.2, 0.2]], "warm_up": 0, "busy": 0.99}],
    "machine_state": {"before": TOLD["machine_state"], "after": TOLD["machine_state"]},
}


def write_board(folder: Path, **answers: bytes) -> str:
    """The program, which answers to `look`, `keep` and `run` with these bytes, by default as a Raspberry Pi that has
    everything and runs nothing."""
    folder.mkdir(exist_ok=True)
    usual = {"look": line_of(TOLD), "keep": line_of({"kept": "there"}), "run": line_of(ENDED)}
    for name, content in {**usual, **answers}.items():
        (folder / name).write_bytes(content)
    program = folder / "ssh"
    program.write_text(_PROGRAM.format(python=sys.executable, folder=str(folder)))
    program.chmod(0o755)
    return str(program)


def line_of(values: object) -> bytes:
    return json.dumps(values).encode() + b"\n"


def run_answer(files: dict[str, bytes]) -> bytes:
    """The answer to `run` with the worker's files."""
    sizes = {name: len(content) for name, content in files.items()}
    return line_of({**ENDED, "files": sizes}) + b"".join(files.values())


def outputs(*arrays: np.ndarray[Any, Any]) -> bytes:
    written = io.BytesIO()
    np.savez(written, *arrays)
    return written.getvalue()


def worker_files(*shapes: tuple[int, ...]) -> dict[str, bytes]:
    """A report and outputs of these shapes, as a worker leaves them."""
    return {
        "result.json": json.dumps(REPORT).encode(),
        "outputs_0.npz": outputs(*(np.zeros(shape, np.float32) for shape in shapes)),
    }
