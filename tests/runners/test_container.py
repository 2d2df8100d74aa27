"""Containers, really started where an engine is; what an engine cannot do is told everywhere."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.builds.result import Build
from edgekit.errors import ContainerError, EmulatorError, RunError
from edgekit.fetching.source import Source
from edgekit.latency.predict import predict_latency
from edgekit.numerics.compare import relative_difference
from edgekit.progress import Silent
from edgekit.runners.container import Container, ContainerRunner
from edgekit.runners.emulator import prepare
from edgekit.runners.engine import ContainerLimits, Engine, enforces_memory
from edgekit.runners.image import build_image
from edgekit.runners.qemu import QemuRunner
from edgekit.runners.runner import Job
from edgekit.runtimes.ort import feed_outputs
from edgekit.target import Runtime
from edgekit.target_files import find_target
from edgekit.traits import Fidelity
from tests import engine as engines
from tests.interrupts import heeding_interrupts
from tests.runners.large import large_job

X = (np.random.default_rng(0).standard_normal((3, 1, 3, 6, 6)).astype(np.float32),)
RPI4 = find_target("rpi4")
NOWHERE = Engine(("engine",), "1", 2**33, 4, "amd64")


def test_a_target_that_nothing_emulates_has_no_container() -> None:
    with pytest.raises(EmulatorError, match="no emulator runs the instruction sets of x86-vnni"):
        ContainerRunner(find_target("x86-vnni"))


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (
            137,
            RunError,
            "the model ran out of memory while it ran: the container's limit is 67 MB, including the emulator",
        ),
        (125, ContainerError, "engine 1 cannot start it: last words"),
        (1, ContainerError, "the container of engine ended while it ran: last words"),
    ],
)
def test_why_a_container_said_nothing(code: int, error: type[Exception], message: str) -> None:
    result = Container(NOWHERE, "image", ContainerLimits(2**26, 1), Path()).no_answer(
        code, "first\nlast words\n", "while it ran"
    )
    assert isinstance(result, error) and str(result) == message


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    before = os.environ.get("CONTAINERS_CONF")
    engines.configure(tmp_path_factory.mktemp("engine"))
    found, base = engines.engine_with_base()
    build_image(found, RPI4, base, Silent())
    yield found
    if before is None:
        os.environ.pop("CONTAINERS_CONF", None)


def running(engine: Engine) -> list[str]:
    return engine.run("ps", "--all", "--quiet").stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rpi4", "rpi5"])
def test_an_integer_model_gives_the_very_same(name: str, engine: Engine, built: Build) -> None:
    model = built.targets[0].bundle / "model.onnx"
    x = (np.random.default_rng(0).standard_normal((5, 1, 1, 8, 8)).astype(np.float32),)
    result = ContainerRunner(find_target(name)).run(Job([model], x, seconds=1.0, profiled_runs=1))
    assert np.array_equal(feed_outputs(model, x)[0], result.outputs[0][0])
    assert result.fidelity is Fidelity.EMULATED and not result.latencies_ms and result.profiles
    assert not running(engine), "nothing is left"


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_a_run_takes_there_what_it_takes_under_qemu(conv_model: Path) -> None:
    job = Job([conv_model], X, counted=True, profiled_runs=1)
    here = QemuRunner(RPI4, prepare(RPI4, Silent())).run(job)
    there = ContainerRunner(RPI4).run(job)
    assert not there.uncounted and len(there.counts) == 1
    one, other = (predict_latency(each.counts[0], RPI4, 1).milliseconds for each in (here, there))
    assert other == pytest.approx(one, rel=0.02)
    assert [len(each.profiles[0].counts) for each in (here, there)] == [len(here.profiles[0].counts)] * 2 != [0, 0]


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_a_core_whose_caches_are_not_known_is_not_counted(conv_model: Path) -> None:
    result = ContainerRunner(RPI4.copy_with(caches=())).run(Job([conv_model], X, counted=True))
    assert not result.counts and "with caches in its target file" in result.uncounted


@pytest.mark.slow
def test_an_x86_target_is_emulated_as_well(engine: Engine, conv_model: Path) -> None:
    target = find_target("x86-avx2")
    build_image(engine, target, engines.BASE, Silent())
    result = ContainerRunner(target).run(Job([conv_model], X))
    assert relative_difference(feed_outputs(conv_model, X), tuple(result.outputs[0])) < 1e-5
    assert result.memory_bytes is None, "what is its guest's cannot be told"


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_memory_is_the_guests_and_the_emulators_is_told_apart(conv_model: Path) -> None:
    contained = ContainerRunner(RPI4).run(Job([conv_model], X))
    alone = QemuRunner(RPI4, prepare(RPI4, Silent())).run(Job([conv_model], X))
    assert contained.memory_bytes and alone.memory_bytes and contained.emulator_bytes
    assert 0.8 < contained.memory_bytes / alone.memory_bytes < 1.25
    assert contained.resident.keys() == alone.resident.keys()
    assert contained.emulator_bytes > 1_000_000


@pytest.mark.slow
def test_a_limit_is_proved_before_it_is_claimed(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    enforces_memory.cache_clear()
    runner = ContainerRunner(RPI4)
    assert enforces_memory(engine, runner.image) and runner.is_limited
    assert "4,096 MB" in runner.identity()
    assert not list(tmp_path.iterdir()), "nothing is left where it was started"


@pytest.mark.slow
def test_a_model_larger_than_the_targets_memory_is_caught(engine: Engine, tmp_path: Path) -> None:
    """256 MB of zeros on a board with 192 MB."""
    with pytest.raises(RunError, match="the model ran out of memory"):
        ContainerRunner(RPI4.copy_with(ram_bytes=192 * 2**20)).run(large_job(tmp_path))
    assert not running(engine)


@pytest.mark.slow
def test_a_runtime_that_dies_on_the_board_dies_in_the_container(engine: Engine, conv_model: Path) -> None:
    """onnxruntime 1.21.0 used an instruction that no Pi 4 has; the emulator's default CPU has it."""
    old = RPI4.copy_with(runtime=Runtime(name="onnxruntime", version="1.21.0"))
    build_image(engine, old, engines.BASE, Silent(), Source(unpinned=True))
    with pytest.raises(
        RunError, match=r"onnxruntime 1\.21\.0 was stopped by SIGILL on cortex-a72 while the runtime was imported"
    ):
        ContainerRunner(old).run(Job([conv_model], X))
    assert ContainerRunner(old.copy_with(cpu="max")).run(Job([conv_model], X)).outputs


@pytest.mark.slow
def test_a_model_that_hangs_is_stopped(engine: Engine, conv_model: Path) -> None:
    with pytest.raises(RunError, match=r"did not finish on cortex-a72 within 5 s"):
        ContainerRunner(RPI4).run(Job([conv_model], X, least_runs=10**9, seconds=0.1, timeout_s=5.0))
    assert not running(engine)


@pytest.mark.slow
def test_an_interrupted_bench_leaves_no_container(engine: Engine, conv_model: Path) -> None:
    command = [sys.executable, "-m", "edgekit", "bench", str(conv_model), "-t", "rpi4", "--runner", "container"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, stdout=subprocess.DEVNULL, preexec_fn=heeding_interrupts
    )
    until = time.monotonic() + 60
    while not running(engine) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode and "Traceback" not in words
    until = time.monotonic() + 30
    while running(engine) and time.monotonic() < until:
        time.sleep(0.1)
    assert not running(engine)


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_an_image_that_is_not_built_says_how() -> None:
    with pytest.raises(EmulatorError, match="the container image for rpi4 is not built") as failed:
        ContainerRunner(RPI4.copy_with(runtime=Runtime(name="onnxruntime", version="1.30.0")))
    assert failed.value.hint == "edgekit setup --runner container rpi4"
