"""The examples' own code, where no other test runs it."""

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np

from edgekit.data.split import Split
from edgekit.project.project import load_project
from edgekit.traits import Data
from tests.conftest import copied_example


def test_spoken_digits_are_generated_where_there_are_no_recordings(tmp_path: Path) -> None:
    project = copied_example("spoken", tmp_path)
    made = Split(project, Data.EVALUATION)
    assert made.length == 300 and made.about == "generated sounds: there are no recordings in recordings/"
    batch = next(made.batches())
    assert batch.inputs[0].shape == (64, 1, 32, 32) and set(batch.target.tolist()) == set(range(10))


def test_recordings_are_split_by_their_number(tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    random = np.random.default_rng(0)
    for name in ("3_ann_0", "3_ann_4", "7_bob_5", "7_bob_12"):
        with wave.open(str(place / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes((random.standard_normal(3000) * 3000).astype("<i2").tobytes())
    project = copied_example("spoken", tmp_path)
    settings = project.root / "edgekit.toml"
    settings.write_text(settings.read_text().replace('["recordings/"]', f'["{place}/"]'))
    labels = {split: labels_in(settings.parent, split) for split in ("train", "evaluation")}
    assert labels == {"train": "[7, 7]", "evaluation": "[3, 3]"}
    assert load_project(settings.parent).declared_data_digest() != project.declared_data_digest()


def labels_in(folder: Path, split: str) -> str:
    """In a process of its own: modules of projects with the same names are kept apart."""
    code = f"import data; print(sorted(data.pictures({split == 'evaluation'}).tensors[1].tolist()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
