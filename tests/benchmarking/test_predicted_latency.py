from edgekit.benchmarking.predicted_latency import predicted_measurement
from edgekit.figures.measurement import Measurement
from edgekit.target_files import find_target
from edgekit.traits import Fidelity
from tests.latency.test_predict import counts


def test_a_prediction_is_a_figure_of_its_own_fidelity() -> None:
    found = predicted_measurement("m", counts(), find_target("rpi4"), 4, 2)
    assert isinstance(found, Measurement)
    assert (found.name, found.unit, found.threads, found.batch) == ("latency_predicted", "ms", 4, 2)
    assert found.fidelity is Fidelity.PREDICTED and found.confidence == 0
    assert found.limits.startswith("range ") and found.low and found.high and found.low < found.value < found.high


def test_why_there_is_none_comes_with_what_to_do() -> None:
    assert predicted_measurement("m", counts(), find_target("rpi4"), 3, 1) == (
        "no latency with 3 threads is predicted; the calibration is for 1 and 4: --threads 4"
    )
