"""The emulator, really run: where it cannot be, these tests fail rather than skip, on a host that can set it up."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.builds.result import Build
from edgekit.errors import RunError
from edgekit.fetching.source import Source
from edgekit.instruction_counts.instructions import InstructionKind
from edgekit.numerics.compare import relative_difference
from edgekit.progress import Silent
from edgekit.runners.emulator import prepare
from edgekit.runners.qemu import QemuRunner
from edgekit.runners.runner import Job
from edgekit.runtimes.forms import form_for
from edgekit.runtimes.ort import feed_outputs
from edgekit.target import Runtime
from edgekit.target_files import find_target
from edgekit.traits import Fidelity
from tests.instruction_counts.compiler import needs_compiler
from tests.runners.large import large_job
from tests.tflite.models import needs_runtime

pytestmark = pytest.mark.skipif(
    not (sys.platform.startswith("linux") and shutil.which("apt-get")), reason="the emulator is set up with apt"
)

X = (np.random.default_rng(0).standard_normal((3, 1, 3, 6, 6)).astype(np.float32),)


def runner(name: str) -> QemuRunner:
    target = find_target(name)
    return QemuRunner(target, prepare(target, Silent()))


@pytest.mark.parametrize(
    "name",
    [
        "rpi4",
        "x86-avx2",
        pytest.param("rpi5", marks=pytest.mark.slow),
        # These have the same core.
        pytest.param("rpi3", marks=pytest.mark.slow),
        pytest.param("rpi-zero2w", marks=pytest.mark.slow),
        pytest.param("arm64-generic", marks=pytest.mark.slow),
    ],
)
def test_a_float_model_gives_the_same_under_emulation(name: str, conv_model: Path) -> None:
    result = runner(name).run(Job([conv_model], X, seconds=1.0))
    assert relative_difference(feed_outputs(conv_model, X), tuple(result.outputs[0])) < 1e-5
    assert result.fidelity is Fidelity.EMULATED
    assert not result.latencies_ms, "wall time under emulation is never a latency"


@pytest.mark.parametrize("name", ["rpi4", pytest.param("rpi5", marks=pytest.mark.slow)])
def test_an_integer_model_gives_the_very_same_under_emulation(name: str, built: Build) -> None:
    model = built.targets[0].bundle / "model.onnx"
    x = (np.random.default_rng(0).standard_normal((5, 1, 1, 8, 8)).astype(np.float32),)
    result = runner(name).run(Job([model], x))
    assert np.array_equal(feed_outputs(model, x)[0], result.outputs[0][0])


@needs_runtime
def test_a_job_may_name_another_runtime(conv_model: Path, tmp_path: Path) -> None:
    board = find_target("rpi4")
    litert = next(each for each in board.runtimes if each.name == "ai-edge-litert")
    prepare(board.on(litert), Silent())
    form = form_for(conv_model, litert, tmp_path, board.arch)
    result = runner("rpi4").run(Job([form], tuple(each[:, :1] for each in X), runtimes=[litert]))
    assert relative_difference(feed_outputs(conv_model, X), tuple(result.outputs[0])) < 1e-5
    assert result.runtime == f"{litert}, XNNPACK" and result.memory_bytes


def test_memory_is_the_guests_own(conv_model: Path) -> None:
    from edgekit.runners.native import NativeRunner

    emulated = runner("rpi4").run(Job([conv_model], X))
    native = NativeRunner().run(Job([conv_model], X))
    assert emulated.memory_bytes is not None and native.memory_bytes is not None
    assert 0.5 < emulated.memory_bytes / native.memory_bytes < 1.5
    assert 0 < emulated.resident["imported"] <= emulated.resident["ran"] <= emulated.memory_bytes
    assert emulated.resident.keys() == native.resident.keys()


def test_the_runtime_sees_the_targets_cpu() -> None:
    emulator = runner("rpi5").emulator
    assert emulator.root is not None
    text = (emulator.root / "proc" / "cpuinfo").read_text()
    assert "0xd0b" in text and "asimddp" in text and text.count("processor") == 4


def test_a_model_larger_than_the_targets_memory_is_caught(tmp_path: Path) -> None:
    """256 MB of zeros on a board with 192 MB."""
    small = find_target("rpi-zero2w").copy_with(ram_bytes=192 * 2**20)
    with pytest.raises(RunError) as raised:
        QemuRunner(small, prepare(small, Silent())).run(large_job(tmp_path))
    assert "cortex-a53" in raised.value.message


@pytest.mark.slow
def test_the_crash_that_only_the_board_has_is_caught(conv_model: Path) -> None:
    """The wheel of onnxruntime 1.21.0 that died on every Raspberry Pi 4 (onnxruntime issues 23957, 24112, 24512)."""
    board = find_target("rpi4").copy_with(runtime=Runtime(name="onnxruntime", version="1.21.0"))
    emulator = prepare(board, Silent(), Source(unpinned=True))  # no target names it: it is not in the lock
    with pytest.raises(RunError) as raised:
        QemuRunner(board, emulator).run(Job([conv_model], X))
    assert raised.value.message.startswith("onnxruntime 1.21.0 was stopped by SIGILL on cortex-a72 while ")
    assert "pin another version" in raised.value.hint
    hidden = board.copy_with(cpu="max")
    assert QemuRunner(hidden, prepare(hidden, Silent())).run(Job([conv_model], X)).runtime == "onnxruntime 1.21.0"


@needs_compiler
def test_what_is_counted_is_the_same_in_every_process(conv_model: Path) -> None:
    job = Job([conv_model], X, counted=True, profiled_runs=1)
    one, two = (runner("rpi5").run(job) for _ in range(2))
    for first, second in zip(
        (*one.counts, *one.profiles[0].counts), (*two.counts, *two.profiles[0].counts), strict=True
    ):
        # On a busy machine the allocator's state before a run differs at times: some hundred instructions of 73,000.
        assert first.total == pytest.approx(second.total, abs=1000)
        for one_level, other in zip(first.caches, second.caches, strict=True):
            assert one_level.misses == pytest.approx(other.misses, abs=100)
    assert not one.uncounted and len(one.counts) == 1
    (counts,) = one.counts
    assert counts.instructions[InstructionKind.FLOAT_PRODUCT] > 0 and counts.loaded_bytes > 0
    assert [0 < each.misses <= each.accesses for each in counts.caches] == [True] * 3


@needs_compiler
def test_each_operator_is_counted(conv_model: Path) -> None:
    result = runner("rpi4").run(Job([conv_model], X, counted=True, profiled_runs=1))
    (profile,) = result.profiles
    operators = [each["args"]["op_name"] for each in profile.runs[-1]]
    assert len(profile.counts) == len(operators) >= 3
    heaviest = max(zip(profile.counts, operators, strict=True), key=lambda each: each[0].total)
    assert "Conv" in heaviest[1]
    assert sum(each.loaded_bytes for each in profile.counts) > 0 < result.counts[0].total


@needs_compiler
def test_models_are_counted_one_by_one(conv_model: Path, built: Build) -> None:
    small = np.zeros((1, 1, 1, 8, 8), np.float32)
    job = Job([conv_model, built.targets[0].bundle / "model.onnx"], (), inputs_of=[(X[0][:1],), (small,)], counted=True)
    floats, integers = runner("rpi4").run(job).counts
    # 3x6x6 inputs through a 3x3 kernel to 4 channels: 3888 products in vectors of 4, and 20 of the matrix product.
    assert 3888 / 4 <= floats.instructions[InstructionKind.FLOAT_PRODUCT] < 2 * 3888 / 4
    assert InstructionKind.INTEGER_PRODUCT not in floats.instructions
    assert integers.instructions[InstructionKind.INTEGER_PRODUCT] > 1000
    assert integers.instructions[InstructionKind.FLOAT_PRODUCT] < floats.instructions[InstructionKind.FLOAT_PRODUCT]


@pytest.mark.slow
def test_why_nothing_is_counted_is_reported(conv_model: Path) -> None:
    result = runner("arm64-generic").run(Job([conv_model], X, counted=True))
    assert not result.counts and "arm64-generic is not a 64-bit ARM core with caches" in result.uncounted
    emulator = replace(prepare(find_target("rpi4"), Silent()), plugin=None)
    result = QemuRunner(find_target("rpi4"), emulator).run(Job([conv_model], X, counted=True))
    assert not result.counts and "install a C compiler and run edgekit setup rpi4" in result.uncounted
    assert not runner("rpi4").run(Job([conv_model], X)).uncounted
