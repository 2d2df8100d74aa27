from collections.abc import Callable

from edgekit.contract.step import Outcome
from edgekit.data.split import Split
from edgekit.project.project import Project
from edgekit.steps.train import Train
from edgekit.training.evaluation import module_metric
from edgekit.training.modules import saved_module
from edgekit.traits import Data, Role
from tests.steps.conftest import artifact


def test_training_leaves_a_module_that_learned(run_step: Callable[..., Outcome], tiny: Project) -> None:
    done = run_step(Train(epochs=10), tiny)
    module = saved_module(tiny, artifact(done.path))
    assert module_metric(module, tiny, Split(tiny, Data.EVALUATION)) > 80
    assert done.notes["epochs"] == 10
    assert done.notes["parameters"] == sum(each.numel() for each in module.parameters())


def test_a_role_trains_its_own_module(run_step: Callable[..., Outcome], tiny: Project) -> None:
    student, teacher = run_step(Train(epochs=1), tiny), run_step(Train(epochs=1), tiny, role=Role.TEACHER)
    assert student.notes["parameters"] < teacher.notes["parameters"]
