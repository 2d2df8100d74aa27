import pytest

from edgekit.errors import ProjectError
from edgekit.project.preprocessing import ImagePreprocessing, SoundPreprocessing, preprocessing_as


def test_one_number_may_stand_without_brackets() -> None:
    how = preprocessing_as(ImagePreprocessing, {"mean": 127.5, "std": [127.5], "resize": [6, 8]}, "edgekit.toml")
    assert (how.mean, how.std, how.resize, how.crop) == ((127.5,), (127.5,), (6, 8), ())
    assert how.settings() == {"resize": [6, 8], "mean": [127.5], "std": [127.5]}
    assert preprocessing_as(SoundPreprocessing, {}, "edgekit.toml").settings() == {}


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ({"resise": 4}, "unknown key 'resise'"),
        ({"resize": 0}, "'resize.0' is 0"),
        ({"resize": [1, 2, 3]}, "'resize' is"),
        ({"color": "rgb"}, "'color' is 'rgb': no such value"),
        ({"std": [1.0, 0.0]}, "'std' holds 0"),
        ({"mean": "grey"}, "'mean' is 'grey'"),
        ({"length": 4}, "unknown key 'length'"),
    ],
)
def test_wrong_keys_and_values_are_named(told: dict[str, object], fault: str) -> None:
    with pytest.raises(ProjectError, match=r"^edgekit.toml: ") as raised:
        preprocessing_as(ImagePreprocessing, told, "edgekit.toml")
    assert fault in raised.value.message and raised.value.hint
