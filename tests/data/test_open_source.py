from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from edgekit.data.open_source import open_source
from edgekit.data.split import Split
from edgekit.errors import DataError
from edgekit.traits import Data
from tests.conftest import FileProject


def greys(folder: Path, *names: str) -> None:
    """Images whose pixels are their place in `names`."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((2, 2), number, np.uint8)).save(folder / name)


def values(split: Split) -> list[int]:
    return [round(float(each) * 255) for batch in split.batches() for each in batch.inputs[0][:, 0, 0, 0]]


def test_a_fifth_is_held_out_by_the_seed(tmp_path: Path, file_project: FileProject) -> None:
    greys(tmp_path / "samples", *(f"{number % 2}/{number}.png" for number in range(10)))
    project = file_project({"x": ("batch", 1, 2, 2)})
    calibration, evaluation = (Split(project, each) for each in (Data.CALIBRATION, Data.EVALUATION))
    assert (calibration.length, evaluation.length) == (8, 2)
    assert sorted([*values(calibration), *values(evaluation)]) == list(range(10))
    other = project.copy_with(seed=1)
    assert values(Split(other, Data.EVALUATION)) != values(evaluation)
    assert evaluation.labelled and evaluation.preprocessing["resize"] == [2, 2]
    batch = next(evaluation.batches())
    assert [value % 2 for value in values(evaluation)] == batch.target.tolist()
    assert evaluation.origin(0).endswith(f"/{values(evaluation)[0]}.png")


def test_files_of_their_own_for_evaluation(tmp_path: Path, file_project: FileProject) -> None:
    greys(tmp_path / "samples", *(f"{number}.png" for number in range(6)))
    greys(tmp_path / "held", "a/0.png", "b/1.png")
    project = file_project({"x": ("batch", 1, 2, 2)}, evaluation="held")
    calibration, evaluation = (Split(project, each) for each in (Data.CALIBRATION, Data.EVALUATION))
    assert (calibration.length, calibration.labelled) == (6, False)
    assert (evaluation.length, evaluation.labelled, evaluation.classes) == (2, True, ("a", "b"))
    # Files of one folder follow one another: the first few would be of one class.
    assert sorted(values(calibration)) == list(range(6)) != values(calibration)


def test_labels_from_a_table(tmp_path: Path, file_project: FileProject) -> None:
    greys(tmp_path / "samples", "0.png", "1.png")
    greys(tmp_path / "held", "2.png")
    (tmp_path / "labels.csv").write_text("0.png,7\n1.png,8\n2.png,9\n")
    project = file_project({"x": ("batch", 1, 2, 2)}, evaluation="held", labels="labels.csv")
    assert next(Split(project, Data.EVALUATION).batches()).target.tolist() == [9]
    assert not Split(project, Data.CALIBRATION).labelled


def test_arrays_and_sounds(tmp_path: Path, file_project: FileProject) -> None:
    np.savez(tmp_path / "samples.npz", x=np.ones((10, 4), np.float32), labels=np.arange(10))
    project = file_project({"x": ("batch", 4)}, calibration="samples.npz")
    assert Split(project, Data.EVALUATION).alike()[1].shape == (2,)
    (tmp_path / "sounds").mkdir()
    for number in range(5):
        soundfile.write(tmp_path / "sounds" / f"{number}.wav", np.ones(6) / 8, 8000)
    project = file_project({"x": ("batch", 4)}, calibration="sounds")
    split = Split(project, Data.CALIBRATION)
    assert split.alike()[0][0].shape == (4, 4) and split.preprocessing == {"length": 4, "rate": 8000}
    assert not split.labelled


def test_a_function_that_gives_arrays(tmp_path: Path, file_project: FileProject) -> None:
    (tmp_path / "given.py").write_text(
        "from numpy import arange, ones\ndef both(): return ones((10, 4), 'f4'), arange(10)\n"
    )
    project = file_project({"x": ("batch", 4)}, calibration="given:both")
    splits = [Split(project, each) for each in (Data.CALIBRATION, Data.EVALUATION)]
    assert [split.length for split in splits] == [8, 2]
    assert sorted(int(label) for split in splits for label in split.alike()[1]) == list(range(10))
    whole = file_project({"x": ("batch", 4)}, calibration="given:both", evaluation="given:both")
    assert Split(whole, Data.EVALUATION).alike()[1].tolist() == list(range(10))


def test_several_inputs_want_arrays(tmp_path: Path, file_project: FileProject) -> None:
    greys(tmp_path / "samples", "0.png", "1.png")
    with pytest.raises(DataError, match="images feed one input, but the model takes 2: a, b"):
        open_source(file_project({"a": ("n", 1, 2, 2), "b": ("n", 2)}), Data.CALIBRATION)
    arrays = {"a": np.ones((3, 2), np.float32), "b": np.zeros((3, 4), np.float32)}
    np.savez(tmp_path / "samples.npz", **arrays)
    project = file_project({"a": ("n", 2), "b": ("n", 4)}, calibration="samples.npz")
    assert [each.shape for each in Split(project, Data.CALIBRATION).alike()[0]] == [(2, 2), (2, 4)]


def test_too_little_to_hold_out(tmp_path: Path, file_project: FileProject) -> None:
    greys(tmp_path / "samples", "0.png")
    with pytest.raises(DataError, match="'samples' holds one sample, so none can be held out for evaluation"):
        Split(file_project({"x": ("batch", 1, 2, 2)}), Data.CALIBRATION)


def test_not_a_number_is_told_with_its_file(tmp_path: Path, file_project: FileProject) -> None:
    (tmp_path / "samples").mkdir()
    for number in range(4):
        np.save(tmp_path / "samples" / f"{number}.npy", np.full(4, np.nan if number == 2 else 1, np.float32))
    split = Split(file_project({"x": ("batch", 4)}, evaluation="samples"), Data.EVALUATION)
    with pytest.raises(DataError, match=r"2\.npy has NaN or infinite inputs"):
        list(split.batches())
