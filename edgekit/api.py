"""edgekit as a library: the functions that `import edgekit` exposes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from edgekit.benchmarking.bench import Bench, bench_files
from edgekit.benchmarking.board_calibration import BoardCalibration, calibrate_board
from edgekit.builds.build import build as project_build
from edgekit.builds.build import chosen_targets
from edgekit.builds.check import RecipeCheck, check_recipe
from edgekit.builds.result import Build
from edgekit.call_options import (
    BenchOptions,
    BuildOptions,
    CalibrateOptions,
    QuantizeOptions,
    Ranges,
    SetupOptions,
    StudyOptions,
    listed,
    options_of,
)
from edgekit.contract.registry import load_all, step_from
from edgekit.contract.step import Step
from edgekit.data.splits import Splits
from edgekit.deprecation import FORMER_BUILD_OPTIONS, FORMER_RANGES, accepts_former_keywords, current_name
from edgekit.errors import ModelError, RecipeError, StudyError, TargetError, did_you_mean
from edgekit.execution.single_step import Conversion, run_single_step
from edgekit.fetching.source import usual_source
from edgekit.files import write_bytes
from edgekit.formats import inspect_file
from edgekit.planning import explanations
from edgekit.planning.lint import interactions_of
from edgekit.planning.recipe import find_recipe, recipe_for, recipe_of
from edgekit.process_state import leaves_process_unchanged
from edgekit.progress import Progress, Silent
from edgekit.project.from_file import file_project
from edgekit.project.project import Project, load_project, project_at
from edgekit.runners.choice import runner_for
from edgekit.runners.preparation import QEMU, Preparation, prepare_targets
from edgekit.runtimes.choice import target_runtimes
from edgekit.scratch import temporary_folder
from edgekit.studies.arms import arms_of
from edgekit.studies.evidence import measurements_of
from edgekit.studies.results import Study
from edgekit.studies.studying import run_study
from edgekit.survey.kept import survey_for_recipe
from edgekit.target import Target
from edgekit.target_files import calibration_file, find_target

if TYPE_CHECKING:
    from edgekit.arrays import Array
    from edgekit.model.inspection import Inspection

_PROBE_SAMPLES = 16
"""Calibration samples for each network of `calibrate`, whose weights are random."""


@leaves_process_unchanged
@accepts_former_keywords(BuildOptions, FORMER_BUILD_OPTIONS)
def build(
    model: str | Path | None = None,
    calibration: str | Path | None = None,
    *,
    targets: str | Sequence[str] = (),
    options: BuildOptions | None = None,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Build:
    """Do what `edgekit build` does: build the ONNX file `model` with its samples, or the project in `folder`.

    `calibration` is the path of a folder or file of samples, or a `module:function` in `folder`; without it the
    model's own samples are used. `folder` also holds the cache and dist/. Raises EdgekitError: `message` says what is
    wrong, `hint` what to do.
    """
    given = options_of(options, BuildOptions)
    if model is None:
        project = load_project(Path(folder or "."))
    else:
        project = file_project(
            Path(model),
            _text(calibration),
            evaluation=_text(given.evaluation),
            labels=_text(given.labels),
            metric=given.metric,
            recipe=given.recipe,
            folder=Path(folder) if folder is not None else None,
            calibration_samples=given.calibration_samples,
            preprocessing=given.preprocessing,
        )
    return project_build(project, chosen_targets(project, listed(targets)), progress or Silent(), given)


@leaves_process_unchanged
@accepts_former_keywords(QuantizeOptions, mapping="step")
def quantize(
    model: str | Path,
    calibration: "str | Path | Array | Mapping[str, Array]",
    *,
    target: str,
    output: str | Path | None = None,
    options: QuantizeOptions | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Quantize a model file to INT8 with the target's scheme.

    The result is written to `output`, by default model-quantized.onnx beside the model. With fixed ranges it is what
    the step `quantize` of a build makes of the same file, in QDQ form; with dynamic ranges it is what the step
    `quantize-dynamic` makes. `calibration` is the path of a folder or file of samples, a `module:function` beside the
    model, an array with axes (samples, ...), or one array per input name. Raises EdgekitError.
    """
    given = options_of(options, QuantizeOptions)
    step, path = _step(_quantizer(Path(model), given.ranges), given.step), _output_path(model, output, "quantized")
    with _project_of(model, calibration, given.preprocessing, given.calibration_samples) as project:
        return run_single_step(step, project, find_target(target), path, progress or Silent())


@leaves_process_unchanged
def simplify(
    model: str | Path,
    calibration: "str | Path | Array | Mapping[str, Array] | None" = None,
    *,
    output: str | Path | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Simplify a model file: write the smallest equivalent graph that was found.

    The result is written to `output`, by default model-simplified.onnx beside the model. It is what the step `simplify`
    of a build makes of the same file. Both files are compared on `calibration`, as for `quantize`, or on random inputs
    in the shapes of the model's inputs. Raises EdgekitError.
    """
    path = _output_path(model, output, "simplified")
    with _project_of(model, calibration, preprocessing) as project:
        return run_single_step(_step("simplify", {}), project, None, path, progress or Silent())


@leaves_process_unchanged
@accepts_former_keywords(BenchOptions)
def bench(
    model: str | Path | Sequence[str | Path],
    target: str | None = None,
    *,
    options: BenchOptions | None = None,
    runner: str = "",
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Bench:
    """Do what `edgekit bench` does: measure on this machine, or for a target where its instruction set runs.

    Several models are timed in turns and compared with the first. `runner` is where they run: native, qemu, or a
    board's ssh://user@host:port. Targets and their latency calibrations are also searched in targets/ of `folder`, by
    default the working directory. Raises EdgekitError.
    """
    models = [model] if isinstance(model, str | Path) else model
    if not models:
        raise ModelError("no model is given", "give a path, or several")
    given = options_of(options, BenchOptions)
    chosen = find_target(target, (Path(folder or ".") / "targets",)) if target else None
    return bench_files([Path(each) for each in models], chosen, given, runner, progress)


@leaves_process_unchanged
@accepts_former_keywords(CalibrateOptions)
def calibrate(
    target: str,
    models: Sequence[str | Path] = (),
    *,
    runner: str = "",
    options: CalibrateOptions | None = None,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> BoardCalibration:
    """Do what `edgekit calibrate` does: fit the latency prediction of a target to a board.

    `models`, or edgekit's own networks in float and INT8, are timed on a board (`runner` is its ssh://user@host:port)
    and counted under the target's emulator; prices are fitted to both. The calibration is written to targets/ of
    `folder`, by default the working directory, or beside the target file that is named. Raises EdgekitError.
    """
    given = options_of(options, CalibrateOptions)
    place = Path(folder or ".") / "targets"
    chosen = find_target(target, (place,))
    if given.runtime:
        chosen = chosen.on(target_runtimes((given.runtime,), chosen)[0])
    beside = Path(target).parent if target.endswith(".toml") else place
    path = Path(chosen.calibration) if chosen.calibration else calibration_file(chosen, beside)
    watch = progress or Silent()
    on = runner_for(chosen, runner, watch)
    with temporary_folder() as made:
        named: dict[Path, str] = {Path(each): Path(each).stem for each in models}
        known = named or _quantize_networks(chosen, made, watch)
        return calibrate_board(on, chosen, known, listed(given.threads), given.seconds, path, watch)


@leaves_process_unchanged
@accepts_former_keywords(StudyOptions)
def study(
    folder: str | Path = ".",
    *,
    pairs: str | Sequence[str] = (),
    options: StudyOptions | None = None,
    target: str | None = None,
    output: str | Path | None = None,
    progress: Progress | None = None,
) -> Study:
    """Do what `edgekit study` does on the project in `folder`.

    `pairs` such as "quantize-weights bits=4, sparsify" are measured in both orders. Without pairs, and without
    `orders` or `ablate` in the options, the recipe alone is measured step by step. The results are written to `output`,
    with a plot as .png and .svg beside it if matplotlib is installed. Raises EdgekitError.
    """
    if output is not None and Path(output).suffix != ".json":
        raise StudyError(
            f"{output} does not end in .json: the plot is written beside the results",
            "give a file name that ends in .json",
        )
    given = options_of(options, StudyOptions)
    project, watch = load_project(Path(folder)), progress or Silent()
    if given.recipe is None:
        chosen = recipe_of(project, survey_for_recipe(project, Splits(project)))
    else:
        chosen = recipe_for(project, find_recipe(given.recipe, Path()))
    arms = arms_of(project, chosen, listed(pairs), orders=given.orders, ablate=given.ablate)
    device = chosen_targets(project, [target] if target else ())[0]
    budget = None if given.budget_min is None else 60 * given.budget_min
    found = run_study(project, arms, range(given.seeds), device, watch, budget)
    if output is not None:
        _write_study(found, Path(output), watch)
    return found


@leaves_process_unchanged
def plan(
    folder: str | Path | None = None,
    *,
    targets: str | Sequence[str] = (),
    recipe: str | None = None,
    inspect: bool = False,
    evidence: str | Path | None = None,
    progress: Progress | None = None,
) -> RecipeCheck:
    """Do what `edgekit plan` does: check the recipe of the project in `folder`, or the one that `recipe` names, before
    training, and propose a better recipe.

    By default `folder` is the working directory if it holds an edgekit.toml; without a project nothing is known of the
    model. `inspect` loads and examines the models. `evidence` is a file that `study` wrote. Raises EdgekitError.
    """
    project = project_at(Path(folder) if folder is not None else None)
    measured = measurements_of(project, Path(evidence)) if evidence is not None else None
    watch = progress or Silent()
    return check_recipe(project, watch, recipe, listed(targets), inspect=inspect, measured=measured)


@leaves_process_unchanged
def explain(*words: str, folder: str | Path | None = None) -> explanations.Answer:
    """Do what `edgekit explain` does: explain findings by code, a technique, two techniques in the order as given and
    in the other one, or a word; "order" is a page on the order of techniques, "glossary" every word.

    Without words, every finding is returned. The interactions.toml of the project in `folder` is read as well. Raises
    EdgekitError.
    """
    project = project_at(Path(folder) if folder is not None else None)
    return explanations.explain(words, interactions_of(project))


@leaves_process_unchanged
def inspect(model: str | Path, *, shapes: Mapping[str, Sequence[int]] | None = None) -> "Inspection":
    """Do what `edgekit inspect` does: inputs, outputs, operators, types, parameters and MACs of an ONNX or TFLite file.

    `shapes` gives the lengths of dynamic axes by name, or whole input shapes by input. Raises EdgekitError.
    """
    return inspect_file(Path(model), shapes or {})


@leaves_process_unchanged
@accepts_former_keywords(SetupOptions)
def setup(
    targets: str | Sequence[str],
    *,
    runner: str = QEMU,
    runtimes: str | Sequence[str] = (),
    options: SetupOptions | None = None,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Preparation, ...]:
    """Do what `edgekit setup` does: download the emulator of each target to the user's cache directory, or build its
    container image with the `runner` container.

    `runtimes` are some that the targets list, or `all`; by default each target's own. Targets are also searched in
    targets/ of `folder`, by default the working directory. Raises EdgekitError.
    """
    named = [find_target(each, (Path(folder or ".") / "targets",)) for each in listed(targets)]
    if not named:
        raise TargetError("no target is given", "give its id, or several")
    chosen = [each.on(runtime) for each in named for runtime in target_runtimes(listed(runtimes), each)]
    given = options_of(options, SetupOptions)
    source = usual_source(Path(given.source) if given.source else None, unpinned=given.unpinned)
    return tuple(prepare_targets(chosen, runner, progress or Silent(), given.base, source))


def _text(given: str | Path | None) -> str | None:
    return None if given is None else str(given)


def _write_study(found: Study, path: Path, progress: Progress) -> None:
    from edgekit.report.plots import no_plot, study_plot
    from edgekit.studies.results import study_json

    write_bytes(path, study_json(found).encode())
    if reason := no_plot():
        progress.note(reason)
        return
    for form in ("png", "svg"):
        write_bytes(path.with_suffix(f".{form}"), study_plot(found, form))


@contextmanager
def _project_of(
    model: str | Path,
    calibration: "str | Path | Array | Mapping[str, Array] | None",
    preprocessing: Mapping[str, Any] | None,
    samples: int | None = None,
) -> Iterator[Project]:
    """The project of a model file while one step runs; arrays are written to a temporary file of samples."""
    with temporary_folder() as folder:
        place: str | None
        if calibration is None or isinstance(calibration, str | Path):
            place = None if calibration is None else str(calibration)
        else:
            import numpy as np

            place = str(folder / "calibration.npz")
            arrays = calibration if isinstance(calibration, Mapping) else {"samples": calibration}
            np.savez(place, **{name: np.asarray(each) for name, each in arrays.items()})
        # All samples calibrate: no metric is computed, so none need to be held out.
        yield file_project(
            Path(model), place, evaluation=place, calibration_samples=samples, preprocessing=preprocessing
        )


def _is_transformer(path: Path) -> bool:
    from edgekit.model.importing import file_architecture

    return path.is_file() and file_architecture(path) == "transformer"


def _quantizer(model: Path, ranges: str = "auto") -> str:
    """The step that quantizes a file, by where activation ranges come from. Raises RecipeError for unknown `ranges`."""
    current = current_name(ranges, FORMER_RANGES, "ranges")
    if current not in get_args(Ranges):
        raise RecipeError(f"there is no kind of ranges '{ranges}'", did_you_mean(ranges, list(get_args(Ranges))))
    return "quantize-dynamic" if current == "dynamic" or (current == "auto" and _is_transformer(model)) else "quantize"


def _quantize_networks(target: Target, folder: Path, progress: Progress) -> dict[Path, str]:
    """The networks of `calibrate`, float and quantized with the target's scheme, each with its kind."""
    from edgekit.latency.networks import CALIBRATION_NETWORKS

    found: dict[Path, str] = {}
    for number, probe in enumerate(CALIBRATION_NETWORKS):
        progress.advanced("quantizing", number, len(CALIBRATION_NETWORKS), probe.name)
        whole, integers = folder / f"{probe.name}.onnx", folder / f"{probe.name}-int8.onnx"
        probe.save(whole)
        with _project_of(whole, probe.samples(_PROBE_SAMPLES), None, None) as project:
            run_single_step(_step(_quantizer(whole), {}), project, target, integers, Silent())
        found |= {whole: probe.kind, integers: probe.kind}
    progress.advanced("quantizing", len(CALIBRATION_NETWORKS), len(CALIBRATION_NETWORKS))
    return found


def _step(name: str, options: Mapping[str, Any]) -> Step:
    load_all()
    return step_from(name, options, name)


def _output_path(model: str | Path, output: str | Path | None, made: str) -> Path:
    path = Path(model)
    return Path(output) if output is not None else path.with_name(f"{path.stem}-{made}.onnx")
