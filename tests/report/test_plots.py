from io import BytesIO
from xml.etree import ElementTree

import pytest
from PIL import Image

from edgekit.report import plots
from edgekit.report.plots import no_plot, stages_plot, study_plot
from edgekit.studies.results import Arm
from edgekit.traits import Role
from tests.report.test_studies import made_study


def test_the_plot_names_every_arm_and_stage_and_is_the_same_every_time() -> None:
    study = made_study()
    drawn = study_plot(study, "svg")
    assert drawn == study_plot(study, "svg")
    text = drawn.decode()
    for name in ("one", "other", "train", "prune", "metric, %", "tiny for rpi4: 3 seeds, a CPU (native)", "student"):
        assert f"<!-- {name}" in text, name
    assert ElementTree.fromstring(text).tag.endswith("svg")
    image = Image.open(BytesIO(study_plot(study, "png")))
    assert image.size[0] > 800 and len(set(image.convert("RGB").resize((200, 100)).getdata())) > 20


def test_each_arm_has_the_ticks_of_its_own_steps() -> None:
    """Arms in different orders share no tick, and the teacher is no point on the student's line."""
    one, other = made_study().arms
    taught = one.stages[0].copy_with(step=one.stages[0].step.copy_with(role=Role.TEACHER))
    text = stages_plot([one.copy_with(stages=(taught, *one.stages[1:])), other], "%", "t", "svg").decode()
    ticks = [name for name in ("prune", "quantize-weights") for _ in range(text.count(f"<!-- {name} -->"))]
    assert ticks == ["prune"] * 2 + ["quantize-weights"] * 2
    assert text.count("<!-- train teacher -->") == text.count("<!-- train -->") == 1
    assert "<!-- teacher -->" in text


def test_many_arms_and_one_seed_can_be_drawn() -> None:
    (arm, *_) = made_study().arms
    stages = [
        each.copy_with(metric=each.metric and type(each.metric)(each.metric.mean, None, None)) for each in arm.stages
    ]
    arms = [Arm(f"arm {number}", tuple(stages[: 1 + number % 4]), 1) for number in range(20)]
    unmeasured = Arm("a file", tuple(each.copy_with(metric=None) for each in stages), 1)
    assert b"arm 19" in stages_plot([*arms, unmeasured], "%", "many", "svg")


def test_without_matplotlib_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert no_plot() == ""
    monkeypatch.setattr(plots, "find_spec", lambda _: None)
    assert no_plot().startswith("no plot: matplotlib is not installed (pip install")
