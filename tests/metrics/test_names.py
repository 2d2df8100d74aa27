import pytest

from edgekit.errors import ProjectError
from edgekit.metrics.named import NAMED
from edgekit.metrics.names import COMPARING, LABELLED, check_metric
from edgekit.project.project import Project


def test_the_names_are_those_of_the_metrics() -> None:
    assert {name for name, each in NAMED.items() if each.value is not None} == set(LABELLED)
    assert {name for name, each in NAMED.items() if each.score is not None} == set(COMPARING)


def test_an_unknown_metric_and_one_that_needs_a_file_are_found_before_any_work(tiny: Project) -> None:
    check_metric(tiny)
    check_metric(tiny.copy_with(metric="score:anything"))
    with pytest.raises(ProjectError, match="no metric 'acuracy'") as raised:
        check_metric(tiny.copy_with(metric="acuracy"))
    assert "accuracy" in raised.value.hint
    with pytest.raises(ProjectError, match="cosine compares with a model file, but the project has modules"):
        check_metric(tiny.copy_with(metric="cosine"))
