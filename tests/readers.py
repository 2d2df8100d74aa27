"""Every reader of files that a user may get from a stranger, with a sound file for each, and random damage to it."""

import io
import random
import shutil
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import soundfile
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from safetensors.torch import save_file

from edgekit.benchmarking.agreement import agreement
from edgekit.bundle.manifest import float_operators_of
from edgekit.data.array_files import read_rows
from edgekit.data.images import image_array
from edgekit.data.labels import labels_of_table
from edgekit.data.model_inputs import Inputs
from edgekit.data.sounds import sound_array
from edgekit.errors import BoardError, EdgekitError
from edgekit.formats import inspect_file
from edgekit.latency.board_fit import known_prices, read_calibration
from edgekit.model.importing import import_model
from edgekit.model.ports import Port
from edgekit.planning.interactions import interactions_with
from edgekit.planning.recipe import find_recipe, recipe_from, recipes_of
from edgekit.project.preprocessing import ImagePreprocessing, SoundPreprocessing
from edgekit.project.project import load_project
from edgekit.report.boards import board_json, board_report
from edgekit.runners.address import Address
from edgekit.runners.answers import Ended, Look, understood
from edgekit.runners.board import Board
from edgekit.runners.connection import Request, answer_in
from edgekit.runners.derived import derive_target
from edgekit.runners.environment import disturbances, machine_line
from edgekit.runners.runner import Job, read_results
from edgekit.scratch import temporary_folder
from edgekit.studies.evidence import measurements_of
from edgekit.target_files import find_target, load_target
from edgekit.tflite.reading import read_tflite
from edgekit.tflite.writing import write_model
from edgekit.training.weights import load_weights
from edgekit.traits import Fidelity
from tests.latency.test_board_fit import known
from tests.runners.lying import line_of, run_answer, worker_files
from tests.runners.pi import TOLD
from tests.studies.test_evidence import study

TINY = Path(__file__).parent / "tiny"
ROOT = Path(__file__).parent.parent
ROWS = Inputs((Port("x", "float32", ("batch", 3)),))

_ODD = [
    *(b"-1", b"1e999", b"nan", b"10000000000000000000000", b"0", b"null", b"true", b'""', b"[]", b"{}", b"[" * 2000),
    *(
        b"\x00",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\xef\xbb\xbf",
        "\u202e\x1b[31m".encode(),
        b"\r\n",
        b"../../x",
    ),
    *(b"\xed\xa0\x80", b"a" * 5000, b"=1+1", b'"""', b"'", b"#", b","),
]


def damaged(content: bytes, random_: random.Random) -> bytes:
    """The content with one to four changes: bits, bytes, slices, words."""
    changed = bytearray(content)
    for _ in range(random_.choice((1, 1, 2, 4))):
        at = random_.randrange(len(changed) + 1)
        length = random_.choice((1, 2, 4, 16, 200))
        kind = random_.randrange(7)
        if kind == 0 and changed:
            changed[at % len(changed)] ^= 1 << random_.randrange(8)
        elif kind == 1:
            del changed[at : at + length]
        elif kind == 2:
            changed[at:at] = changed[at : at + length]
        elif kind == 3:
            changed[at:at] = random_.choice(_ODD)
        elif kind == 4:
            odd = random_.choice(_ODD)
            changed[at : at + len(odd)] = odd
        elif kind == 5:
            del changed[at:]
        else:
            _replace_word(changed, random_)
    return bytes(changed)


def _replace_word(changed: bytearray, random_: random.Random) -> None:
    """Replace a number or a word of a text by another value."""
    starts = [at for at in range(len(changed)) if chr(changed[at]).isalnum() and not chr(changed[at - 1]).isalnum()]
    if starts:
        start = end = random_.choice(starts)
        while end < len(changed) and (chr(changed[end]).isalnum() or changed[end] in b"._"):
            end += 1
        changed[start:end] = random_.choice(_ODD)


@dataclass(frozen=True)
class Reader:
    """A function that reads a file, and a sound file of its kind."""

    file: str
    read: Callable[[Path], Any]
    sound: bytes


def judge(reader: Reader, content: bytes, folder: Path) -> str:
    """What is wrong with how a content is read; empty if it was read, or refused with one line and one hint."""
    path = folder / reader.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    try:
        reader.read(path)
    except EdgekitError as error:
        if not error.message or not error.hint:
            return f"an error without a message or a hint: {error.message!r}, {error.hint!r}"
        return "" if error.exit_code in (2, 3) else f"exit code {error.exit_code}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return ""


def readers(folder: Path) -> dict[str, Reader]:
    """The readers by name; `folder` holds what they need beside the file."""
    shutil.copytree(TINY, folder / "tiny", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "project").mkdir()
    conv, product = _models()
    (folder / "project" / "m.onnx").write_bytes(conv)
    project = load_project(folder / "tiny")
    steps = recipe_from("r", [{"use": "train"}, {"use": "prune"}, {"use": "qat"}, {"use": "export"}], "r")
    target = find_target("rpi4")
    calibrated = Path(known(target, folder / "targets").calibration)
    module = torch.nn.Linear(3, 2)
    names = [Path(f"{number}.png") for number in range(4)]
    (folder / "product.onnx").write_bytes(product)
    tflite = write_model(onnx.load_from_string(product)).data
    found = {
        "project": Reader("project/edgekit.toml", _read_project, _PROJECT),
        "target": Reader("own/mine.toml", load_target, (ROOT / "targets" / "rpi4.toml").read_bytes()),
        "recipe": Reader("own/recipe.toml", lambda path: find_recipe(path.name, path.parent), _RECIPE),
        "interactions": Reader("own/interactions.toml", interactions_with, _INTERACTIONS),
        "manifest": Reader("own/manifest.json", float_operators_of, _MANIFEST),
        "latency": Reader(
            "own/latency.json",
            lambda path: (
                read_calibration(target.copy_with(calibration=str(path))),
                known_prices(target.copy_with(calibration=str(path))),
            ),
            calibrated.read_bytes(),
        ),
        "study": Reader(
            "tiny/other.json", lambda path: measurements_of(project, path), study(project, steps).read_bytes()
        ),
        "labels": Reader(
            "own/labels.csv",
            lambda path: labels_of_table(path, Path(), names),
            b"file,label\n0.png,cat\n1.png,dog\n2.png,cat\n3.png,1\n",
        ),
        "onnx": Reader("own/m.onnx", lambda path: (import_model(path), inspect_file(path)), conv),
        "tflite": Reader("own/m.tflite", _read_tflite, tflite),
        "safetensors": Reader(
            "own/w.safetensors", lambda path: load_weights(module, path), _safetensors(folder, module)
        ),
        "state dict": Reader("own/w.pt", lambda path: load_weights(module, path), _saved(module)),
        "npy": Reader("own/a.npy", lambda path: read_rows(path, ROWS), _npy()),
        "npz": Reader("own/a.npz", lambda path: read_rows(path, ROWS), _npz()),
    }
    for form in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"):
        found[form] = Reader(f"own/a.{form}", lambda path: image_array(path, ImagePreprocessing()), _image(form))
    found["WAV"] = Reader("own/a.wav", lambda path: sound_array(path, SoundPreprocessing()), _wav())
    found["FLAC"] = Reader("own/a.flac", lambda path: sound_array(path, SoundPreprocessing()), _flac())
    found["board"] = Reader("own/look", _read_board, line_of(TOLD))
    answered = run_answer(worker_files((1, 1, 4, 1, 1)))
    found["run"] = Reader("own/run", lambda path: _read_run(path, folder / "project" / "m.onnx"), answered)
    return found


def _read_tflite(path: Path) -> None:
    file = read_tflite(path)
    for number in (*file.inputs, *file.outputs):
        file.own_port(number)
    inspect_file(path)


def _read_board(path: Path) -> None:
    """What `targets check` and `targets new` make of an answer."""
    with understood("the board", BoardError):
        answered = answer_in(io.BytesIO(path.read_bytes()), Request({}), Look)
    if isinstance(answered, Look):
        board = Board(Address("pi"), answered)
        board_report(board, []), board_json(board, []), board.kept_name(find_target("rpi4").runtime)
        derive_target(board, "mine", [find_target("rpi4")])


def _read_run(path: Path, model: Path) -> None:
    """What a bench makes of an answer."""
    with temporary_folder() as received, understood("the board", BoardError):
        answered = answer_in(io.BytesIO(path.read_bytes()), Request({}, received=received), Ended)
        if isinstance(answered, Ended):
            found = read_results(Job([model], (np.zeros((1, 1, 3, 8, 8), np.float32),)), received)
            result = found.result(Fidelity.DEVICE)
            disturbances(result, 1), machine_line(result), result.latencies_ms, result.cpu_ms
            agreement("m", model, result.outputs[0], "other", [np.zeros((1, 1, 4, 1, 1))], Fidelity.DEVICE, "")


def _read_project(path: Path) -> None:
    project = load_project(path.parent)
    recipes_of(project)
    project.declared_data_digest()


_PROJECT = b"""name = "m"
targets = ["rpi4", "x86-avx2"]
recipe = "int8"
metric = "cosine"
seed = 3

[model]
onnx = "m.onnx"

[data]
calibration = "samples"
batch_size = 4
data_files = ["m.onnx", "data/**/*.png"]

[preprocessing]
resize = [8, 8]
mean = [0.5, 0.5, 0.5]

[budgets]
max_drop = 0.01
latency_ms = 5.0

[options.quantize]
weights = "channel"
"""
_RECIPE = b"""about = "A recipe."

[[steps]]
use = "train"
role = "teacher"
epochs = 3

[[steps]]
use = "prune"
ratio = 0.5
epochs = 4

[[steps]]
use = "export"

[[steps]]
use = "quantize"
"""
_INTERACTIONS = (
    (ROOT / "edgekit" / "planning" / "interactions.toml").read_bytes()[:6000].rpartition(b"[[interactions]]")[0]
)
_LABELS = b"file,label\n0.png,cat\n1.png,dog\n2.png,cat\n3.png,1\n"
_MANIFEST = b"""{"target": {"id": "rpi4"}, "project": "m", "edgekit": "0.1", "files": {"model.onnx": "0"},
"lineage": [{"step": "quantize", "notes": {}}, {"step": "mixed-precision", "notes": {"floats": ["a", "b"]}}]}
"""


def _models() -> tuple[bytes, bytes]:
    """A convolution with a branch, and a matrix product with a ReLU."""
    values = np.random.default_rng(0).standard_normal
    kernel = numpy_helper.from_array(values((4, 3, 3, 3)).astype(np.float32), "kernel")
    matrix = numpy_helper.from_array(values((3, 4)).astype(np.float32), "matrix")
    inner = helper.make_graph(
        [helper.make_node("Relu", ["c"], ["b"])], "g", [], [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)]
    )
    yes = helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["c"], pads=[1] * 4, strides=[2, 2]),
        yes,
        helper.make_node("If", ["yes"], ["i"], then_branch=inner, else_branch=inner),
        helper.make_node("GlobalAveragePool", ["i"], ["y"]),
    ]

    def port(name: str, *shape: int | str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graphs = [
        helper.make_graph(nodes, "g", [port("x", "n", 3, 8, 8)], [port("y", "n", 4, 1, 1)], [kernel]),
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "matrix"], ["p"]), helper.make_node("Relu", ["p"], ["y"])],
            "g",
            [port("x", 1, 3)],
            [port("y", 1, 4)],
            [matrix],
        ),
    ]
    opset = [helper.make_opsetid("", 17)]
    conv, product = (helper.make_model(each, opset_imports=opset, ir_version=9).SerializeToString() for each in graphs)
    return conv, product


def _safetensors(folder: Path, module: torch.nn.Module) -> bytes:
    save_file(module.state_dict(), str(folder / "w.safetensors"))
    return (folder / "w.safetensors").read_bytes()


def _saved(module: torch.nn.Module) -> bytes:
    buffer = io.BytesIO()
    torch.save(module.state_dict(), buffer)
    return buffer.getvalue()


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ones((4, 3), np.float32))
    return buffer.getvalue()


def _npz() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=np.ones((4, 3), np.float32), labels=np.arange(4))
    return buffer.getvalue()


def _image(form: str) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def _wav() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setparams((1, 2, 8000, 100, "NONE", ""))
        sound.writeframes(np.arange(100, dtype=np.int16).tobytes())
    return buffer.getvalue()


def _flac() -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.linspace(-1, 1, 100), 8000, format="FLAC")
    return buffer.getvalue()
