"""onnx's own node cases, one operator each with its inputs and outputs, through simplify and fuse."""

import random
import shutil
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from edgekit.arrays import Arrays
from edgekit.contract.step import Context, TargetView
from edgekit.errors import EdgekitError, last_line, type_and_line
from edgekit.numerics.compare import relative_difference
from edgekit.progress import Silent
from edgekit.project.project import load_project
from edgekit.runtimes.ort import host_outputs
from edgekit.steps import simplify
from edgekit.steps.fuse import Fuse
from edgekit.steps.simplify import Simplify
from edgekit.target_files import find_target
from edgekit.traits import Role
from tests.conftest import TINY, examples
from tests.steps.conftest import artifact

CASES = Path(onnx.__file__).parent / "backend" / "test" / "data" / "node"
FEW = 150


class Given:
    """A case's inputs where a project's calibration split is asked for."""

    def __init__(self, inputs: Arrays) -> None:
        self.inputs = inputs

    def __getitem__(self, _: object) -> "Given":
        return self

    def arrays(self, limit: int) -> tuple[Arrays, None]:
        assert limit
        return self.inputs, None


def simplified(script: str, source: str, path: str) -> str:
    """A simplifier's script run here, in the pool's process, as if it were a process of its own."""
    sys.argv = ["-c", source, path]
    try:
        exec(script, {"__name__": "__main__"})
    except BaseException as error:
        return f"failed: {last_line(str(error) or type(error).__name__)}"
    return ""


class Pool:
    """One process for all cases: it imports the simplifiers once, and a new one takes its place when it dies."""

    def __init__(self) -> None:
        self.executor = self._started()

    def _started(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    def __call__(self, script: str, source: Path, path: Path) -> str:
        try:
            return self.executor.submit(simplified, script, str(source), str(path)).result(timeout=120)
        except BrokenProcessPool:
            self.executor = self._started()
            return "crashed"


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made = Pool()
    monkeypatch.setattr(simplify, "_run_simplifier", made)
    yield
    made.executor.shutdown()


def tensors(folder: Path, kind: str) -> Arrays | None:
    """A case's inputs or outputs in order; None where one is no tensor."""
    found = []
    for number in range(len(list(folder.glob(f"{kind}_*.pb")))):
        tensor = onnx.TensorProto()
        try:
            tensor.ParseFromString((folder / f"{kind}_{number}.pb").read_bytes())
            found.append(numpy_helper.to_array(tensor))
        except Exception:
            return None
    return tuple(found)


def verdict(case: Path, context: Context, folder: Path) -> str:
    """What became of a case: equal, refused, wrong, or `not run` where the runtime itself cannot."""
    inputs, expected = (tensors(case / "test_data_set_0", kind) for kind in ("input", "output"))
    model = case / "model.onnx"
    try:
        if inputs is None or expected is None or not _same(expected, host_outputs(model, inputs, optimize=False)):
            return "not run"
    except (EdgekitError, ValueError):
        return "not run"
    context = replace(context, splits=Given(inputs))
    try:
        for step in (Simplify(), Fuse()):
            (folder / step.name()).mkdir(parents=True)
            here = replace(
                context, folder=folder / step.name(), target=TargetView(find_target("rpi4"), step.contract.target)
            )
            model = step.run(artifact(model), {}, here).path
    except EdgekitError as error:
        return f"refused: {error.message}"
    except Exception as error:
        return f"wrong: {type_and_line(error)}"
    try:
        return "equal" if _same(expected, host_outputs(model, inputs)) else "wrong"
    except EdgekitError as error:
        return f"wrong: {error.message}"


def _same(expected: Arrays, given: Arrays) -> bool:
    return relative_difference(expected, given) < 1e-3


@pytest.mark.slow
@pytest.mark.fuzz
@pytest.mark.usefixtures("pool")
def test_onnxs_node_cases_come_out_equal_or_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = sorted(path.name for path in CASES.iterdir())
    chosen = random.Random(0).sample(names, min(examples(FEW), len(names)))
    shutil.copytree(TINY, tmp_path / "tiny", ignore=shutil.ignore_patterns("__pycache__"))
    view = TargetView(find_target("rpi4"), frozenset())
    context = Context(load_project(tmp_path / "tiny"), Given(()), view, Role.STUDENT, tmp_path, tmp_path, Silent())
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in chosen:
            found[name] = verdict(CASES / name, context, tmp_path / name)
            shutil.rmtree(tmp_path / name, ignore_errors=True)
    counts = Counter(each.split(":")[0] for each in found.values())
    with capsys.disabled():
        text = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))
        print(f"\nonnx {onnx.__version__}, {len(chosen):,} node cases: {text}")
    assert not {name: each for name, each in found.items() if each.startswith("wrong")}
    assert counts["equal"] > len(chosen) / 3
