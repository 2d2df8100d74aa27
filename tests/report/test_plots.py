from io import BytesIO
from xml.etree import ElementTree

from PIL import Image

from edgekit.report.plots import stages_plot, study_plot
from edgekit.studies.results import Arm
from tests.report.test_studies import made_study


def test_the_plot_names_every_arm_and_stage_and_is_the_same_every_time() -> None:
    study = made_study()
    drawn = study_plot(study, "svg")
    assert drawn == study_plot(study, "svg")
    text = drawn.decode()
    for name in ("one", "other", "train", "prune", "metric, %", "tiny for rpi4: 3 seeds, a CPU (native)"):
        assert f"<!-- {name}" in text, name
    assert ElementTree.fromstring(text).tag.endswith("svg")
    image = Image.open(BytesIO(study_plot(study, "png")))
    assert image.size[0] > 800 and len(set(image.convert("RGB").resize((200, 100)).getdata())) > 20


def test_more_arms_than_colours_and_one_seed_can_be_drawn() -> None:
    (arm, *_) = made_study().arms
    stages = [
        each.copy_with(metric=each.metric and type(each.metric)(each.metric.mean, None, None)) for each in arm.stages
    ]
    arms = [Arm(f"arm {number}", tuple(stages[: 1 + number % 4]), 1) for number in range(20)]
    assert b"arm 19" in stages_plot(arms, "%", "many", "svg")
