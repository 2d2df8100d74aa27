"""Run one step alone on a model file, for use in scripts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Step, TargetView
from edgekit.data.splits import Splits
from edgekit.errors import ModelError, PlanError
from edgekit.execution.driver import check_declaration
from edgekit.files import sha256_of_file, write_bytes
from edgekit.model.facts import observed_facts
from edgekit.model.importing import import_model
from edgekit.model.reading import save_model
from edgekit.planning.plan import MEANING, providers
from edgekit.progress import Progress
from edgekit.project.project import Project
from edgekit.scratch import temporary_folder
from edgekit.target import Target
from edgekit.traits import Format, Role, Trait


@dataclass(frozen=True)
class Conversion:
    """The result of a step that ran alone on a model file."""

    step: str
    source: Path
    source_bytes: int
    path: Path
    bytes: int
    notes: dict[str, Any]
    """What the step observed: nodes by type, parameters, what was compared, what stayed float."""


def run_single_step(
    step: Step, project: Project, target: Target | None, output: Path, progress: Progress
) -> Conversion:
    """Run a step on a project's model file and write the result to `output`, with the same bytes as in a build.

    Raises PlanError if the file does not meet the step's contract, ModelError and DataError for files that cannot be
    used, and the errors of the step.
    """
    source = project.model_file
    assert source is not None, "a single step works on a file"
    if output.resolve() == source.resolve():
        raise PlanError(f"{output} is the model itself", "give another output file: the source is not overwritten")
    with temporary_folder() as folder:
        given = folder / "given.onnx"
        model = import_model(source)
        save_model(model, given)
        facts = observed_facts(model) | {Trait.CONVERGED}
        if Trait.INTEGER in facts:
            raise ModelError(f"{source.name} is quantized already", "start from the float model")
        missing = sorted(step.contract.requires - facts)
        if missing:
            names = [
                f"edgekit {kind.name()}" for kind in providers(missing[0]) if Format.ONNX in kind.contract.requires
            ]
            raise PlanError(
                f"{step.name()} takes {MEANING[missing[0]]}, which {source.name} is not",
                f"run {' or '.join(names)} first" if names else "export it again",
            )
        artifact = Artifact(given, Format.ONNX, facts, sha256_of_file(given), Role.STUDENT)
        view = TargetView(target, step.contract.target)
        work, checkpoints = folder / "work", folder / "checkpoints"
        work.mkdir()
        checkpoints.mkdir()
        context = Context(project, Splits(project), view, Role.STUDENT, work, checkpoints, progress)
        outcome = step.run(artifact, {}, context)
        declared = (facts & step.contract.preserves) | step.contract.provides
        check_declaration(step.name(), declared, outcome.path)
        write_bytes(output, outcome.path.read_bytes())
        return Conversion(step.name(), source, given.stat().st_size, output, output.stat().st_size, outcome.notes)
