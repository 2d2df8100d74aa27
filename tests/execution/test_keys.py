from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.cache import Cache
from edgekit.contract.artifact import Artifact
from edgekit.contract.registry import load_all
from edgekit.contract.step import Step
from edgekit.data.splits import Splits
from edgekit.execution.keys import DataDigests, metric_key, package_version, step_key
from edgekit.planning.plan import plan_of
from edgekit.planning.recipe import recipe_from
from edgekit.progress import Silent
from edgekit.project.project import Project, load_project
from edgekit.project.sources import _PACKAGE, versioned_files
from edgekit.target_files import find_target
from edgekit.traits import MODULE_ENTRY, Data, Format, Role
from tests.conftest import FileProject, MakeProject


def key(project: Project, target: str = "rpi4", use: str = "train", **options: object) -> str:
    planned = plan_of(recipe_from("r", [{"use": use, **options}, {"use": "export"}], "r"), project.roles).steps[0]
    model = Artifact(Path("model"), Format.TORCH, MODULE_ENTRY, "digest", Role.STUDENT)
    data = DataDigests(project, Splits(project), Cache(project.cache_folder), Silent())
    return step_key(project, data, find_target(target), planned, model, {})


def test_what_decides_a_steps_output_is_in_its_key_and_nothing_else(tiny: Project, make_project: MakeProject) -> None:
    assert key(tiny) == key(load_project(make_project(name="elsewhere")))
    assert key(tiny) != key(tiny, epochs=7)
    assert key(tiny) != key(load_project(make_project({"seed = 0": "seed = 1"}, "seeded")))
    assert key(tiny) != key(load_project(make_project({"batch_size = 16": "batch_size = 8"}, "batched")))
    assert key(tiny) == key(tiny, "x86-vnni"), "training reads nothing of the target"
    assert key(tiny) == key(load_project(make_project({"max_drop = 100.0": "max_drop = 1.0"}, "budgeted")))


def test_a_metric_is_kept_for_a_model_and_its_data(tiny: Project, make_project: MakeProject) -> None:
    def of(project: Project, digest: str = "digest", *, exact: bool = True) -> str:
        data = DataDigests(project, Splits(project), Cache(project.cache_folder), Silent())
        model = Artifact(Path("m.onnx"), Format.ONNX, MODULE_ENTRY, digest, Role.STUDENT)
        return metric_key(project, data, model, exact=exact)

    assert of(tiny) == of(load_project(make_project({"seed = 0": "seed = 1"}, "seeded")))
    assert of(tiny) != of(tiny, "another")
    assert of(tiny) != of(tiny, exact=False)


def test_samples_in_files_are_known_by_their_content(tmp_path: Path, file_project: FileProject) -> None:
    (tmp_path / "samples").mkdir()
    for number in range(5):
        np.save(tmp_path / "samples" / f"{number}.npy", np.full(4, number, np.float32))

    def digest(split: Data, **changes: object) -> str:
        project = file_project({"x": ("batch", 4)}).copy_with(**changes)
        return DataDigests(project, Splits(project), Cache(project.cache_folder), Silent()).digest(split)

    before = digest(Data.CALIBRATION)
    assert before == digest(Data.CALIBRATION) != digest(Data.EVALUATION)
    assert before != digest(Data.CALIBRATION, seed=1), "what is held out hangs on the seed"
    np.save(tmp_path / "samples" / "3.npy", np.zeros(4, np.float32))
    assert before != digest(Data.CALIBRATION)


def test_what_is_read_of_images_is_part_of_their_digest(tmp_path: Path, file_project: FileProject) -> None:
    (tmp_path / "samples").mkdir()
    for number in range(2):
        Image.fromarray(np.full((4, 4), number, np.uint8)).save(tmp_path / "samples" / f"{number}.png")

    def digest(**preprocessing: object) -> str:
        project = file_project({"x": ("batch", 1, 4, 4)}, preprocessing=preprocessing)
        return DataDigests(project, Splits(project), Cache(project.cache_folder), Silent()).digest(Data.CALIBRATION)

    assert digest() == digest(pixels="0-1") != digest(mean=0.5)


def test_a_package_that_is_not_installed_is_absent() -> None:
    assert package_version("no-such-package") == "absent"
    assert package_version("onnx")[0].isdigit()


load_all()

_TRAINED = "contract data model project steps training"
_RAN = "contract data device model numerics project runtimes steps tflite"
_ROOMS = {
    "train": _TRAINED,
    "distill": _TRAINED,
    "load": _TRAINED,
    "load-part": _TRAINED,
    "qat": _TRAINED,
    "quantize-weights": _TRAINED,
    "sparsify": f"{_TRAINED} pruning",
    "prune": f"{_TRAINED} pruning numerics",
    "export": f"{_RAN} training",
    "simplify": _RAN,
    "fuse": _RAN,
    "keep": "contract device model project runtimes steps",
    "weight-only": "contract device model project runtimes steps",
    "quantize": f"{_RAN} metrics quantizers",
    "quantize-dynamic": f"{_RAN} metrics quantizers",
    "mixed-precision": (
        "contract data device fetching figures instruction_counts latency model project runners runtimes steps tflite"
    ),
    "tflite": f"{_RAN} instruction_counts runners",
    "tflite-dynamic": f"{_RAN} instruction_counts runners",
}
"""The rooms whose files decide whether a step runs again, the loose files beside them left out."""


def test_the_rooms_of_every_step_s_key_are_named() -> None:
    assert set(_ROOMS) == set(Step.registry)


@pytest.mark.parametrize("name", _ROOMS)
def test_a_step_s_key_reads_the_rooms_that_the_step_runs_and_no_others(name: str) -> None:
    files = (each.relative_to(_PACKAGE) for each in versioned_files(Step.registry[name].__module__))
    assert {each.parts[0] for each in files if len(each.parts) > 1} == set(_ROOMS[name].split())


def test_training_reads_no_table_of_runtimes_and_no_worker() -> None:
    """A change in `edgekit bench`, or another runtime, trained every teacher anew."""
    files = {str(each.relative_to(_PACKAGE)) for each in versioned_files("edgekit.steps.train")}
    assert "training/loop.py" in files
    assert not files & {"device/worker.py", "runtimes/ort.py", "runtime_specs.py", "data/calibration_batches.py"}
