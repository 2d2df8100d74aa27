import numpy as np
import pytest

from edgekit.execution.gaps import gap_warning


def scores(percent: int, count: int = 1000) -> np.ndarray:
    found = np.zeros(count, np.float32)
    found[: percent * count // 100] = 100.0
    return found


def notes(trained: float, at_rest: float, **more: object) -> dict[str, object]:
    return {"accuracy": trained, "at_rest": {"accuracy": at_rest}, **more}


def test_a_model_that_generalizes_is_not_warned_of() -> None:
    assert gap_warning(notes(98.0, 97.0, batch_norm="up to date"), scores(91)) == ""
    assert gap_warning(notes(60.0, 99.0), scores(98)) == "", "dropout makes training the harder"


@pytest.mark.parametrize(
    ("batch_norm", "cause"),
    [
        ("kept", "leave batch_norm"),
        ("re-estimated", "raise batch_size"),
        ("up to date", "raise batch_size"),
        (None, "dropout"),
    ],
)
def test_what_fails_in_evaluation_mode_is_said_to(batch_norm: str | None, cause: str) -> None:
    result = gap_warning(notes(98.75, 11.0, **({"batch_norm": batch_norm} if batch_norm else {})), scores(10))
    assert "98.8 %" in result and "11.0 % in evaluation mode" in result and "10.0 %" in result and cause in result


def test_what_fails_on_other_data_is_said_to() -> None:
    assert "overfits" in gap_warning(notes(99.0, 98.0, batch_norm="up to date"), scores(60))


def test_both_parts_count_together() -> None:
    assert gap_warning(notes(98.0, 90.0), scores(80)) != ""


def test_a_few_samples_prove_nothing() -> None:
    assert gap_warning(notes(98.0, 97.0), scores(80, count=10)) == ""
    assert gap_warning(notes(98.0, 97.0), scores(80, count=1000)) != ""


def test_another_metric_leaves_the_gap_between_the_modes() -> None:
    assert gap_warning(notes(98.0, 20.0), None) != ""
    assert gap_warning(notes(98.0, 97.0), None) == ""


def test_a_step_that_did_not_train_on_labels_is_left_out() -> None:
    assert gap_warning({}, scores(10)) == ""
    assert gap_warning({"at_rest": {"loss": 1.0}, "loss": 0.5}, scores(10)) == ""
    assert gap_warning({"at_rest": {"accuracy": 1.0}}, scores(10)) == ""
