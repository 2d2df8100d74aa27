"""How a worker's end is read, with real processes."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import RunError
from edgekit.runners.runner import Job, run_worker
from edgekit.target import Runtime

RUNTIME = Runtime(name="onnxruntime", version="1.0")

AT = "import os; reached = lambda stage: (print(stage, flush=True), input()); reached"
"""A script that tells a stage and goes on when it is answered."""


def run(script: str, model: Path, folder: Path, timeout_s: float = 60.0) -> None:
    (folder / "job").mkdir()
    job = Job([model], (np.zeros((1, 1, 3, 6, 6), np.float32),), timeout_s=timeout_s)
    run_worker([sys.executable, "-c", script], os.environ, job, folder / "job", "some-cpu", [RUNTIME])


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (
            "import os; os.kill(os.getpid(), 4)",
            "was stopped by SIGILL on some-cpu while the runtime was imported: it used an instruction that this CPU "
            "does not",
        ),
        (
            "import os; os.kill(os.getpid(), 11)",
            "onnxruntime 1.0 was stopped by SIGSEGV on some-cpu while the runtime was imported",
        ),
        ("import os; os.kill(os.getpid(), 9)", "ran out of memory on some-cpu while the runtime was imported"),
        ("import sys; sys.exit(132)", "SIGILL"),
        ("raise MemoryError('no')", "ran out of memory"),
        ("raise ValueError('bad model')", "failed on some-cpu while the runtime was imported: ValueError: bad model"),
        (f"{AT}('imported'); os.kill(os.getpid(), 4)", "SIGILL on some-cpu while the model was loaded"),
        (f"{AT}('loaded'); os.kill(os.getpid(), 9)", "ran out of memory on some-cpu while the model ran for the first"),
        (f"{AT}('ran'); os.kill(os.getpid(), 11)", "SIGSEGV on some-cpu while the model ran"),
        (
            "raise ValueError('bad input\\n index: 0 got: 4')",
            "failed on some-cpu while the runtime was imported: ValueError: bad input index: 0 got: 4",
        ),
        (
            "import os, sys; print('what(): no kernel', file=sys.stderr, flush=True); os.kill(os.getpid(), 6)",
            "was stopped by SIGABRT on some-cpu while the runtime was imported: what(): no kernel",
        ),
        ("pass", "failed on some-cpu while the runtime was imported: no message"),
    ],
)
def test_a_process_that_ends_badly_is_explained(conv_model: Path, tmp_path: Path, script: str, told: str) -> None:
    with pytest.raises(RunError) as raised:
        run(script, conv_model, tmp_path)
    assert told in raised.value.message
    assert raised.value.hint


def test_what_else_is_printed_is_no_stage(conv_model: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="while the model was loaded"):
        run(
            f"{AT}('imported'); print('a word of the runtime', flush=True); os.kill(os.getpid(), 4)",
            conv_model,
            tmp_path,
        )


def test_timing_takes_its_time() -> None:
    assert Job([Path("a"), Path("b")], (), seconds=3600.0, timeout_s=10.0).limit_s == 10 + 4 * 3600


def test_a_model_that_hangs_is_stopped(conv_model: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(RunError, match="did not finish on some-cpu within 1 s"):
        run("import time; time.sleep(60)", conv_model, tmp_path, timeout_s=1.0)
    assert time.monotonic() - started < 30
