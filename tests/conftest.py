"""A tiny real project, and models made of a few nodes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Two workers on two cores: one thread each, in this process and in those that tests start.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.internal.conjecture import providers
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from edgekit.builds.build import build
from edgekit.builds.result import Build
from edgekit.progress import Silent
from edgekit.project.project import Datasets, Models, Project, load_project
from edgekit.runners import environment
from edgekit.runners.emulator import find_emulator
from edgekit.target_files import find_target
from tests.pretend import write_python
from tests.sshd import Sshd, started

TINY = Path(__file__).parent / "tiny"

MakeProject = Callable[..., Path]
FileProject = Callable[..., Project]

_LEFT = TINY.parent.parent / ".hypothesis"
_ALWAYS = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]}
# Each setting is spelled out that hypothesis would choose otherwise where CI is set.
settings.register_profile("fixed", max_examples=100, derandomize=True, print_blob=True, database=None, **_ALWAYS)
settings.register_profile(
    "fuzz",
    max_examples=3000,
    derandomize=False,
    print_blob=True,
    database=DirectoryBasedExampleDatabase(_LEFT / "examples"),
    **_ALWAYS,
)
settings.load_profile("fixed")
# It also draws numbers and words that stand in whatever local modules happen to be imported: with the same seed, other
# inputs in another order of the tests.
providers._get_local_constants = providers.Constants


def examples(per_hundred: int) -> int:
    """The examples of a test that takes longer than others, or less, where a profile gives others a hundred."""
    return settings().max_examples * per_hundred // 100


@pytest.fixture(autouse=True)
def _own_modules() -> Iterator[None]:
    """Each test imports its project's modules anew: they are all called model and data."""
    yield
    for name in ("model", "data"):
        sys.modules.pop(name, None)


@pytest.fixture
def make_project(tmp_path: Path) -> MakeProject:
    """A copy of the tiny project, with lines of its edgekit.toml replaced: make_project({"seed = 0": "seed = 1"})."""

    def make(replaced: dict[str, str] | None = None, name: str = "tiny") -> Path:
        folder = tmp_path / name
        shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("__pycache__"))
        text = (folder / "edgekit.toml").read_text()
        for old, new in (replaced or {}).items():
            assert old in text, f"{old!r} is not in the tiny project's edgekit.toml"
            text = text.replace(old, new)
        (folder / "edgekit.toml").write_text(text)
        return folder

    return make


def copied_example(name: str, place: Path) -> Project:
    """A copy of an example, without what a build or a user left there."""
    left = shutil.ignore_patterns(".edgekit", "dist", "__pycache__", "recordings")
    shutil.copytree(TINY.parent.parent / "examples" / name, place / name, ignore=left)
    return load_project(place / name)


@pytest.fixture
def tiny(make_project: MakeProject) -> Project:
    return load_project(make_project())


@pytest.fixture(scope="session")
def built_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny project after a build for rpi4 and x86-vnni; not to be written to."""
    folder = tmp_path_factory.mktemp("built") / "tiny"
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="session")
def built(built_folder: Path) -> Build:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "disturbances", lambda *_: ())
        return build(load_project(built_folder), [find_target("rpi4"), find_target("x86-vnni")], Silent())


@pytest.fixture
def quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes do not disturb a build's timing, whatever runs beside the tests."""
    monkeypatch.setattr(environment, "disturbances", lambda *_: ())


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with started(tmp_path_factory.mktemp("sshd")) as found:
        yield found


@pytest.fixture(scope="session")
def pretend_pi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """What a Raspberry Pi 4 would be behind its sshd; see tests/pretend.py."""
    folder = tmp_path_factory.mktemp("pi")
    programs = folder / "programs"
    programs.mkdir()
    write_python(find_emulator(find_target("rpi4")), programs)
    with started(folder, path=programs) as found:
        yield found


@pytest.fixture
def left_behind() -> Path:
    """A folder for inputs that a test writes before it tries them and takes away after: what ends in a failure, or
    takes the whole process down, is still there."""
    folder = _LEFT / "failing"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def run_edgekit() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line in a process of its own, 80 columns wide."""

    def run(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "edgekit", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "COLUMNS": "80", **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture
def conv_model(tmp_path: Path) -> Path:
    """Conv 3->4, batch norm, ReLU, global average pool, a matrix product to 5 outputs; opset 17, dynamic batch."""
    random = np.random.default_rng(0)

    def constant(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)

    variance = numpy_helper.from_array(random.uniform(0.5, 1.5, 4).astype(np.float32), "variance")
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "kernel"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("BatchNormalization", ["c", "gamma", "beta", "mean", "variance"], ["n"]),
            helper.make_node("Relu", ["n"], ["r"]),
            helper.make_node("GlobalAveragePool", ["r"], ["p"]),
            helper.make_node("Flatten", ["p"], ["f"]),
            helper.make_node("Gemm", ["f", "weight", "bias"], ["y"]),
        ],
        "conv",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 5])],
        [
            constant("kernel", 4, 3, 3, 3),
            *(constant(name, 4) for name in ("gamma", "beta", "mean")),
            variance,
            constant("weight", 4, 5),
            constant("bias", 5),
        ],
    )
    path = tmp_path / "conv.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Forty images of 8x8, in five folders by number."""
    random = np.random.default_rng(0)
    for number in range(40):
        folder = tmp_path / "samples" / str(number % 5)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(folder / f"{number}.png")
    return tmp_path / "samples"


@pytest.fixture
def file_project(tmp_path: Path) -> FileProject:
    """A project of a file that passes its inputs on: file_project({"x": ("batch", 3)}, calibration="samples")."""

    def made(shapes: dict[str, tuple[int | str, ...]], *, preprocessing: Any = None, **data: Any) -> Project:
        named = [(name, f"{name}_out") for name in shapes]
        inputs, outputs = (
            [helper.make_tensor_value_info(each[side], TensorProto.FLOAT, shapes[each[0]]) for each in named]
            for side in (0, 1)
        )
        nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in shapes]
        model = helper.make_model(
            helper.make_graph(nodes, "g", inputs, outputs), opset_imports=[helper.make_opsetid("", 17)], ir_version=9
        )
        onnx.save(model, tmp_path / "model.onnx")
        return Project(
            root=tmp_path,
            name="passing",
            model=Models(onnx="model.onnx"),
            data=Datasets(**{"calibration": "samples", **data}),
            preprocessing=preprocessing or {},
        )

    return made


@pytest.fixture
def attending(tmp_path: Path) -> Path:
    """Attention over the rows of the tiny project's images, whose norm lets some channels grow a hundredfold: what one
    scale for the whole tensor cannot hold."""
    random = np.random.default_rng(0)
    gain = np.ones(8)
    gain[[2, 5]] = 100
    arrays = {
        "first": random.standard_normal((8, 8)), "gain": gain, "shift": np.zeros(8),
        **{name: random.standard_normal((8, 8)) / gain[:, None] for name in "qkv"},
        "head": random.standard_normal((64, 4)),
    }  # fmt: skip
    nodes = [
        helper.make_node("Reshape", ["image", "rows"], ["x"]),
        helper.make_node("MatMul", ["x", "first"], ["a"]),
        helper.make_node("Add", ["x", "a"], ["s"]),
        helper.make_node("LayerNormalization", ["s", "gain", "shift"], ["n"]),
        *(helper.make_node("MatMul", ["n", name], [f"{name}x"]) for name in "qkv"),
        helper.make_node("Transpose", ["kx"], ["kt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["qx", "kt"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["weights"]),
        helper.make_node("MatMul", ["weights", "vx"], ["mixed"]),
        helper.make_node("Reshape", ["mixed", "flat"], ["f"]),
        helper.make_node("Gemm", ["f", "head"], ["logits"]),
    ]
    shapes = {"rows": np.array([-1, 8, 8]), "flat": np.array([-1, 64])}
    tensors = [numpy_helper.from_array(each.astype(np.float32), name) for name, each in arrays.items()]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 4])],
        [*tensors, *(numpy_helper.from_array(each, name) for name, each in shapes.items())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "attending.onnx")
    return tmp_path / "attending.onnx"


@pytest.fixture
def in_conversions(tmp_path: Path) -> Path:
    """A network as it is quantized, of x (batch, 3, 8, 8): a convolution to 8 channels whose ReLU is the conversion
    behind it, a depthwise one with a ReLU6, one to 8 channels, an Add, a mean over the image, to y (batch, 8, 1, 1).
    """
    random = np.random.default_rng(0)
    scales = {"x": 0.02, "a": 0.03, "b": 6 / 255, "c": 0.05, "d": 0.06, "y": 0.01}
    zeros = {"x": 128, "a": 0, "b": 0, "c": 128, "d": 120, "y": 120}
    arrays: dict[str, Any] = {}
    for name, scale in scales.items():
        arrays |= {f"{name}_s": np.float32(scale), f"{name}_z": np.uint8(zeros[name])}
    for name, shape in {"stem": (8, 3, 3, 3), "deep": (8, 1, 3, 3), "point": (8, 8, 1, 1)}.items():
        arrays |= {
            name: random.integers(-127, 128, shape).astype(np.int8),
            f"{name}_s": (random.uniform(0.5, 1, 8) / 400).astype(np.float32),
            f"{name}_z": np.zeros(8, np.int8),
        }
    arrays |= {"six": np.float32(6), "nought": np.float32(0)}

    def rounded(name: str, given: str) -> list[onnx.NodeProto]:
        places = [f"{name}_s", f"{name}_z"]
        return [
            helper.make_node("QuantizeLinear", [given, *places], [f"{name}q"]),
            helper.make_node("DequantizeLinear", [f"{name}q", *places], [f"{name}d"]),
        ]

    def product(name: str, given: str, made: str, **options: Any) -> list[onnx.NodeProto]:
        return [
            helper.make_node("DequantizeLinear", [name, f"{name}_s", f"{name}_z"], [f"{name}d"], axis=0),
            helper.make_node("Conv", [given, f"{name}d"], [made], name=name, **options),
        ]

    nodes = [
        *rounded("x", "x"),
        *product("stem", "xd", "a", pads=[1, 1, 1, 1]),
        *rounded("a", "a"),
        *product("deep", "ad", "b0", pads=[1, 1, 1, 1], group=8),
        helper.make_node("Clip", ["b0", "nought", "six"], ["b"], name="clip"),
        *rounded("b", "b"),
        *product("point", "bd", "c"),
        *rounded("c", "c"),
        helper.make_node("Add", ["cd", "bd"], ["d"], name="add"),
        *rounded("d", "d"),
        helper.make_node("GlobalAveragePool", ["dd"], ["m"], name="mean"),
        helper.make_node("QuantizeLinear", ["m", "y_s", "y_z"], ["yq"]),
        helper.make_node("DequantizeLinear", ["yq", "y_s", "y_z"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 8, 1, 1])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, tmp_path / "in_conversions.onnx")
    return tmp_path / "in_conversions.onnx"


@pytest.fixture
def saturating(tmp_path: Path) -> Path:
    """An integer product as `fuse` leaves it, of x (1, 64) with 127s: where x is 255, two products take 17 bits."""
    constants = {
        "s": np.array(1, np.float32),
        "u": np.array(0, np.uint8),
        "i": np.array(0, np.int8),
        "w": np.full((64, 16), 127, np.int8),
        "large": np.array(255 * 127 * 64 / 200, np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["x", "s", "u"], ["q"]),
            helper.make_node("QLinearMatMul", ["q", "s", "u", "w", "s", "i", "large", "u"], ["p"]),
            helper.make_node("DequantizeLinear", ["p", "large", "u"], ["y"]),
        ],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 16])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    path = tmp_path / "product.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture
def in_steps(tmp_path: Path) -> Path:
    """A matrix product 4x4 over x (batch, steps, 4), both dynamic; opset 17."""
    (x, y) = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "steps", 4]) for name in "xy")
    weight = numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weight])
    path = tmp_path / "in_steps.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture
def cancelling(tmp_path: Path) -> Path:
    """From the tiny project's images to 4 numbers that are what is left of large ones: a bias of 10,000 that the batch
    norm behind it takes away again."""
    random = np.random.default_rng(0)
    constants = {
        "kernel": random.standard_normal((4, 1, 8, 8)) / 8,
        "bias": np.full(4, 1e4),
        "gamma": np.full(4, 0.7),
        "beta": np.zeros(4),
        "mean": np.full(4, 1e4),
        "variance": np.ones(4),
    }
    ports = [("image", ["batch", 1, 8, 8]), ("logits", ["batch", 4])]
    (image, logits) = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ports)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "kernel", "bias"], ["c"]),
            helper.make_node("BatchNormalization", ["c", "gamma", "beta", "mean", "variance"], ["n"]),
            helper.make_node("Flatten", ["n"], ["logits"]),
        ],
        "cancelling",
        [image],
        [logits],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()],
    )
    path = tmp_path / "cancelling.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture
def branching() -> onnx.ModelProto:
    """x (batch, 4) through a ReLU r, which both branches of an If read; opset 17."""
    (x, y) = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in ("x", "y"))
    inner = helper.make_tensor_value_info("o", TensorProto.FLOAT, None)
    branches = [helper.make_graph([helper.make_node(op, ["r"], ["o"])], op, [], [inner]) for op in ("Identity", "Neg")]
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], name="relu"),
        helper.make_node("If", ["true"], ["y"], name="if", then_branch=branches[0], else_branch=branches[1]),
    ]
    graph = helper.make_graph(nodes, "g", [x], [y], [numpy_helper.from_array(np.array(True), "true")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
