"""A call of the library leaves its caller's process as it was."""

import logging
import os
import random
import subprocess
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import edgekit
from edgekit.process_state import (
    leaves_process_unchanged,
    preserved_process,
    quiet_loggers,
    quiet_root_logger,
    stdout_as_stderr,
)
from tests.sshd import Sshd
from tests.test_api import FUNCTIONS

LOGGERS = ("neural_compressor", "onnxruntime.quantization", "torch.onnx", "onnxscript", "torch", "mine")
PROJECT_MODULE = types.ModuleType("model")


def process_state() -> dict[str, Any]:
    """What a caller may have set, read without edgekit."""
    root = logging.getLogger()
    numpy_state: Any = np.random.get_state()
    loggers = {name: logging.getLogger(name) for name in LOGGERS}
    return {
        "root logger": (root.level, list(root.handlers), list(root.filters), root.disabled, root.manager.disable),
        "named loggers": {name: (each.level, each.propagate, each.disabled) for name, each in loggers.items()},
        "handlers": {name: list(each.handlers) for name, each in loggers.items()},
        "warnings": (list(warnings.filters), warnings.showwarning),
        "environment": dict(os.environ),
        "folder": Path.cwd(),
        "import path": list(sys.path),
        "a module named like the project's": sys.modules.get("model"),
        "random": random.getstate(),
        "numpy": (numpy_state[1].tolist(), numpy_state[2:], np.geterr()),
        "torch": torch.get_rng_state().tolist(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "type": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "streams": (sys.stdout, sys.stderr),
    }


@pytest.fixture(autouse=True)
def caller(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A caller with settings of its own."""
    root = logging.getLogger()
    level = root.level
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    root.setLevel(logging.INFO)
    for number, name in enumerate(LOGGERS):
        logging.getLogger(name).setLevel(11 + number)
    monkeypatch.setenv("MINE", "1")
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setitem(sys.modules, "model", PROJECT_MODULE)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "a warning of the caller")
        random.seed(1)
        np.random.seed(2)
        torch.manual_seed(3)
        yield
    root.setLevel(level)
    for name, own in before.items():
        logging.getLogger(name).setLevel(own)


@pytest.fixture
def samples() -> np.ndarray:
    return np.random.default_rng(0).random((4, 3, 6, 6), np.float32)


@pytest.fixture
def simple(conv_model: Path) -> Path:
    return edgekit.simplify(conv_model).path


def check_unchanged(call: Callable[[], object]) -> None:
    before = process_state()
    call()
    after = process_state()
    assert {name for name in before if before[name] != after[name]} == set()


def test_simplify(conv_model: Path) -> None:
    check_unchanged(lambda: edgekit.simplify(conv_model))


@pytest.mark.parametrize("step", [{"calibration": "percentile"}, {"backend": "inc"}])
def test_quantize(simple: Path, samples: np.ndarray, step: dict[str, str]) -> None:
    options = edgekit.QuantizeOptions(step=step)
    check_unchanged(lambda: edgekit.quantize(simple, samples, target="x86-vnni", options=options))


def test_build_of_a_file(conv_model: Path, samples: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "samples.npz", x=samples)
    check_unchanged(lambda: edgekit.build(conv_model, tmp_path / "samples.npz", targets="x86-vnni"))


def test_a_study_which_trains_and_exports(make_project: Callable[..., Path]) -> None:
    folder = make_project()
    options = edgekit.StudyOptions(seeds=1)
    check_unchanged(lambda: edgekit.study(folder, options=options, target="x86-vnni", output=folder / "study.json"))
    assert sys.modules["model"] is PROJECT_MODULE


def test_bench(conv_model: Path) -> None:
    check_unchanged(lambda: edgekit.bench(conv_model, options=edgekit.BenchOptions(seconds=0.05)))


@pytest.mark.slow
def test_calibrate(conv_model: Path, pretend_pi: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_SSH", pretend_pi.client)
    options = edgekit.CalibrateOptions(seconds=0.1)
    check_unchanged(
        lambda: edgekit.calibrate("rpi4", [conv_model], runner=pretend_pi.url, options=options, folder=tmp_path)
    )


def test_what_reads_only(conv_model: Path, make_project: Callable[..., Path]) -> None:
    check_unchanged(lambda: edgekit.plan(make_project(), targets="rpi4", inspect=True))
    check_unchanged(edgekit.explain)
    check_unchanged(lambda: edgekit.inspect(conv_model))
    check_unchanged(lambda: edgekit.setup("rpi4"))


FAILING: dict[str, Callable[[], object]] = {
    "bench": lambda: edgekit.bench("none.onnx"),
    "build": lambda: edgekit.build("none.onnx", "none", targets="rpi4"),
    "calibrate": lambda: edgekit.calibrate("rpi4", runner="ssh://127.0.0.1:1"),
    "explain": lambda: edgekit.explain("EK999"),
    "inspect": lambda: edgekit.inspect("none.onnx"),
    "plan": lambda: edgekit.plan("none"),
    "quantize": lambda: edgekit.quantize("none.onnx", "none", target="rpi4"),
    "setup": lambda: edgekit.setup("rpi4", runner="none"),
    "simplify": lambda: edgekit.simplify("none.onnx"),
    "study": lambda: edgekit.study("none"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_after_an_error(name: str) -> None:
    def call() -> None:
        with pytest.raises(edgekit.EdgekitError):
            FAILING[name]()

    check_unchanged(call)


def test_after_an_error_of_the_projects_own_function(make_project: Callable[..., Path]) -> None:
    folder = make_project()
    text = (folder / "data.py").read_text()
    own = "import logging, os, random, warnings\n\n\ndef change():\n    logging.disable(50)\n    os.chdir('/')\n"
    own += (
        "    os.environ['MINE'] = '2'\n    warnings.simplefilter('ignore')\n    random.seed(9)\n    raise ValueError\n"
    )
    (folder / "data.py").write_text(
        f"{own}\n\n{text}".replace("def train(", "def train(*_):\n    change()\n\n\ndef _t(")
    )

    def call() -> None:
        with pytest.raises(edgekit.EdgekitError, match="ValueError"):
            edgekit.build(folder=folder, targets="x86-vnni")

    check_unchanged(call)


def test_two_threads_leave_the_process_as_it_was(conv_model: Path, simple: Path, samples: np.ndarray) -> None:
    options = edgekit.QuantizeOptions(step={"calibration": "percentile"})
    done: list[object] = []
    calls: list[Callable[[], object]] = [
        lambda: done.append(edgekit.quantize(simple, samples, target="rpi4", options=options)),
        lambda: done.append(edgekit.simplify(conv_model, samples, output=conv_model.with_name("two.onnx"))),
        lambda: suppress(edgekit.EdgekitError) and edgekit.explain("EK101"),
    ]

    def call() -> None:
        threads = [threading.Thread(target=each) for each in calls]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    check_unchanged(call)
    assert len(done) == 2


def test_generators_that_a_call_imports_are_not_left_seeded() -> None:
    script = (
        "import sys, edgekit\nassert not {'numpy', 'torch'} & set(sys.modules)\n"
        "from edgekit.process_state import preserved_process\n"
        "with preserved_process():\n    import numpy, torch\n    numpy.random.seed(0)\n    torch.manual_seed(0)\n"
        "print(numpy.random.random(), float(torch.rand(1)))"
    )
    one, two = (subprocess.check_output([sys.executable, "-c", script], text=True).split() for _ in range(2))
    assert one[0] != two[0] and one[1] != two[1]


def test_a_function_keeps_its_name_and_its_result() -> None:
    @leaves_process_unchanged
    def changing(value: int) -> int:
        """Its documentation."""
        os.environ["MINE"] = str(value)
        sys.path.append("/nowhere")
        torch.set_num_threads(torch.get_num_threads() + 1)
        np.seterr(all="raise")
        return value

    check_unchanged(lambda: changing(7))
    assert changing(8) == 8 and (changing.__name__, changing.__doc__) == ("changing", "Its documentation.")


def test_a_removed_working_folder_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with preserved_process():
        os.chdir(tmp_path)
    assert Path.cwd() == tmp_path


def test_telemetry_is_off_during_a_call() -> None:
    with preserved_process():
        assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    assert "ORT_DISABLE_TELEMETRY" not in os.environ


def test_named_loggers_are_quiet_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    with quiet_loggers("mine", "mine.too"):
        logging.getLogger("mine").warning("ignored")
        logging.getLogger("mine").error("reported")
    logging.getLogger("mine").warning("again")
    assert [each.message for each in caplog.records] == ["reported", "again"]
    assert logging.getLogger("mine.too").level == logging.NOTSET


def test_only_a_packages_records_on_the_root_logger_are_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "noisy").mkdir()
    source = tmp_path / "noisy" / "told.py"
    source.write_text("import logging\nlogging.warning('noise')\n")
    code = compile(source.read_text(), str(source), "exec")
    with quiet_root_logger("noisy"):
        exec(code)
        logging.getLogger().warning("of the caller")
    exec(code)
    assert [each.message for each in caplog.records] == ["of the caller", "noise"]


def test_a_root_logger_without_handlers_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with quiet_root_logger("noisy"):
        logging.info("this adds a handler")
    assert not logging.getLogger().handlers


def test_only_this_thread_prints_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with stdout_as_stderr():
        print("mine")
        other = threading.Thread(target=print, args=("other",))
        other.start()
        other.join()
    print("after")
    assert capsys.readouterr() == ("other\nafter\n", "mine\n")
