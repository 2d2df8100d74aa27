"""edgekit.toml -> Project: the model, the data, the recipe, the budgets."""

import re
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from edgekit.errors import ProjectError, first_line
from edgekit.files import sha256_of_json
from edgekit.project.data_files import data_files_digest
from edgekit.project.sources import sources_digest
from edgekit.records import Record, read_toml, validate
from edgekit.target import Budgets
from edgekit.traits import MODULE_ENTRY, Data, Facts, Role

PROJECT_FILE = "edgekit.toml"
CACHE = Path(".edgekit", "cache")
"""Below the folder of a project, or of the model files that are built without one."""
UNSAID = "default"
"""The metric of a project that sets none."""

_ENTRY = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
EntryPoint = Annotated[str, Meta(pattern=_ENTRY)]
"""`module:function`, with the module's file in the project's folder."""


def is_function(entry: str) -> bool:
    """Whether an entry of [data] names a function and not a path."""
    return re.fullmatch(_ENTRY, entry) is not None


class Models(Record, frozen=True, kw_only=True):
    """Functions that return modules, or a file with a trained model."""

    onnx: str | None = None
    """The path of a float ONNX model."""
    teacher: EntryPoint | None = None
    student: EntryPoint | None = None
    teacher_weights: str | None = None
    student_weights: str | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


class Datasets(Record, frozen=True, kw_only=True):
    train: EntryPoint | None = None
    calibration: str | None = None
    """An entry point. For an ONNX model, calibration and evaluation may also be the path of a folder or file of
    samples."""
    evaluation: str | None = None
    labels: str | None = None
    """A CSV file with the label of each sample file."""
    data_files: tuple[str, ...] | None = None
    """Files and glob patterns that the datasets read. `[]` declares that there are none; an absent key declares
    nothing."""
    batch_size: Annotated[int, Meta(gt=0)] = 64
    calibration_samples: Annotated[int, Meta(gt=0)] = 512


class Project(Record, frozen=True, kw_only=True):
    root: Path
    name: Annotated[str, Meta(pattern=r"^[A-Za-z_][\w-]*$")]
    seed: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    targets: tuple[str, ...] = ()
    recipe: str | None = None
    metric: str = UNSAID
    """The name of a metric, or a `module:function` that returns a number for (outputs, targets) as numpy arrays, higher
    is better. By default accuracy, or the similarity to the float model for a model file without labels."""
    loss: EntryPoint | None = None
    training_threads: Annotated[int, Meta(ge=1)] | None = None
    """PyTorch's threads in training. By default one for small networks, else PyTorch's own number."""
    model: Models
    data: Datasets
    preprocessing: dict[str, Any] = {}
    budgets: Budgets = Budgets()
    steps: tuple[dict[str, Any], ...] = ()
    options: dict[str, dict[str, Any]] = {}
    """Options of a named recipe's steps, by step. A table `teacher` or `student` inside a step applies to that role
    only."""

    @property
    def model_file(self) -> Path | None:
        """The ONNX model that the project starts from; None for projects whose modules are trained."""
        return self.root / self.model.onnx if self.model.onnx else None

    @property
    def roles(self) -> frozenset[Role]:
        """The roles for which the project has models."""
        return frozenset({Role.TEACHER, Role.STUDENT} if self.model.teacher else {Role.STUDENT})

    @property
    def entry_facts(self) -> Facts:
        """The facts that its models start with. Raises ModelError for a model file that cannot be read."""
        if self.model_file is None:
            return MODULE_ENTRY
        from edgekit.model.importing import file_facts

        return file_facts(self.model_file)

    def model_entry(self, role: Role) -> str | None:
        """The entry point of the teacher or the student."""
        return self.model.teacher if role is Role.TEACHER else self.model.student

    @property
    def functions(self) -> tuple[str, ...]:
        """All functions that the project names: models, data, metric and loss."""
        named = (
            *(self.model.teacher, self.model.student),
            *(self.data.train, self.data.calibration, self.data.evaluation),
            *(self.metric, self.loss),
        )
        return tuple(dict.fromkeys(each for each in named if each is not None and is_function(each)))

    def weights_file(self, role: Role) -> Path | None:
        """The file of trained weights that the project declares for a role."""
        name = self.model.teacher_weights if role is Role.TEACHER else self.model.student_weights
        return self.root / name if name else None

    def data_entry(self, split: Data) -> str:
        """The entry point of a split, or the path of its samples. Calibration defaults to the training split, and
        evaluation to samples held out of calibration."""
        data = self.data
        fallback = data.train if data.train is not None else data.calibration
        found = {Data.TRAIN: data.train, Data.CALIBRATION: data.calibration, Data.EVALUATION: data.evaluation}[split]
        return found or fallback or data.evaluation or ""

    @property
    def holds_out(self) -> bool:
        """Whether evaluation has no data of its own, so that calibration samples are held out for it."""
        return self.data.evaluation is None

    def entry_digest(self, entry: str) -> str:
        """The digest of an entry point's name and of the project's sources that it depends on."""
        return sha256_of_json([entry, sources_digest(self.root, entry.split(":")[0])])

    def declared_data_digest(self) -> str | None:
        """The digest of the files in `data_files`; None if the project declares none. Raises DataError as
        `data_files_digest` does."""
        return None if self.data.data_files is None else data_files_digest(self.root, self.data.data_files)

    @property
    def targets_folder(self) -> Path:
        """The folder of the project's own targets, which extend or override the shipped ones."""
        return self.root / "targets"

    @property
    def interactions_file(self) -> Path:
        """The file of the project's own rows, which extend the shipped table or replace rows of it."""
        return self.root / "interactions.toml"

    @property
    def cache_folder(self) -> Path:
        return self.root / CACHE

    @property
    def dist_folder(self) -> Path:
        return self.root / "dist"


def project_at(folder: Path | None) -> Project | None:
    """The project in a folder; by default in the working directory, if there is one. Raises ProjectError as
    `load_project` does."""
    if folder is not None or Path(PROJECT_FILE).is_file():
        return load_project(folder or Path())
    return None


def load_project(folder: Path) -> Project:
    """The project in a folder. Raises ProjectError if there is none, or if a key is wrong."""
    path = folder / PROJECT_FILE
    try:
        return _load_project(folder, path)
    except OSError as error:  # a path in it that no file can have
        raise ProjectError(
            f"{path}: {error.strerror}: {first_line(str(error.filename))}", "correct the path"
        ) from error


def _load_project(folder: Path, path: Path) -> Project:
    if not path.is_file():
        raise ProjectError(
            f"there is no {PROJECT_FILE} in {folder.resolve()}",
            "change to a project's folder, or create a project: edgekit init DIR",
        )
    tables = read_toml(path, ProjectError)
    if "root" in tables:
        raise ProjectError(f"{path}: unknown key 'root'", "remove it: the project's root is the folder of edgekit.toml")
    project: Project = validate(Project, {**tables, "root": folder.resolve()}, str(path), ProjectError)
    if project.recipe and project.steps:
        raise ProjectError(f"{path} has both 'recipe' and [[steps]]", "keep one of them: a recipe's name, or [[steps]]")
    if project.steps and project.options:
        raise ProjectError(
            f"{path} has both [[steps]] and [options.{next(iter(project.options))}]",
            "write the options into the steps: [options] apply to a named recipe",
        )
    _check_sources(project, path)
    if project.metric == UNSAID and project.model_file is None:
        project = project.copy_with(metric="accuracy")
    if project.model_file is not None and not project.model_file.is_file():
        raise ProjectError(f"{path}: the model file '{project.model.onnx}' does not exist", "correct the path")
    for name in (project.model.teacher_weights, project.model.student_weights):
        if name and not (folder / name).is_file():
            raise ProjectError(
                f"{path}: the weights file '{name}' does not exist", "correct the path, or train instead"
            )
    return project


def _check_sources(project: Project, path: Path) -> None:
    """Raises ProjectError for missing models or data, and for ones that do not go together."""
    model, data = project.model, project.data
    if project.model_file is not None:
        if model.student or model.teacher or data.train:
            key = "data.train" if data.train else "model.teacher" if model.teacher else "model.student"
            raise ProjectError(
                f"{path} has both model.onnx and {key}", "keep one of them: a model from a file is not trained"
            )
        if data.calibration is None:
            raise ProjectError(
                f"{path}: 'data.calibration' is missing", 'give samples: calibration = "samples/", or module:function'
            )
        return
    for key, value in (
        ("model.student", model.student),
        ("data.train", data.train),
        ("data.evaluation", data.evaluation),
    ):
        if value is None:
            raise ProjectError(f"{path}: '{key}' is missing", f"add {key} = ...")
    for key, value in (("calibration", data.calibration), ("evaluation", data.evaluation), ("labels", data.labels)):
        if value is not None and not is_function(value):
            raise ProjectError(
                f"{path}: 'data.{key}' is {value!r}, but only an ONNX model takes samples from files",
                "give a function: module:function",
            )
