"""The candidates of a bench: model files, each under the runner's own runtime or under several runtimes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import EdgekitError
from edgekit.formats import ports_of
from edgekit.host import this_host
from edgekit.runtimes.choice import runtime_name, runtime_words, with_float_type
from edgekit.runtimes.opening import installed_runtime
from edgekit.target import Runtime, Target


@dataclass(frozen=True)
class Candidate:
    name: str
    model: Path
    """The file as the user named it."""
    file: Path
    """The file in the form that the runtime takes."""
    runtime: Runtime | None = None
    """None for the runner's own runtime."""


@dataclass(frozen=True)
class MissingCandidate:
    """A requested runtime that does not run a model."""

    model: str
    runtime: str
    why: str


def names_of(models: Sequence[Path]) -> list[str]:
    """Display names of files: the file name, or the path where two files have the same name."""
    names = [model.name for model in models]
    return names if len(set(names)) == len(names) else [str(model) for model in models]


def find_candidates(
    models: Sequence[Path], words: Sequence[str], target: Target | None, folder: Path, *, here: bool
) -> tuple[list[Candidate], list[MissingCandidate]]:
    """The candidates, and the runtimes that cannot be measured with the reason.

    Without `words`, the models as they are. With words as `runtime_words` takes them, each model under each runtime, in
    the form that it takes, which is written to `folder`. With a target, the runtimes are those in its file; with
    `here`, in the versions that are installed on this machine. Raises TargetError for a word that is not a runtime, or
    not one of the target's; ModelError for an invalid model.
    """
    names = names_of(models)
    if not words:
        return [Candidate(name, model, model) for name, model in zip(names, models, strict=True)], []
    for model in models:
        ports_of(model)  # an unreadable file is reported once, not by each runtime
    found: list[Candidate] = []
    absent: list[MissingCandidate] = []
    for number, (name, model) in enumerate(zip(names, models, strict=True)):
        (folder / f"{number}").mkdir()
        for word in runtime_words(words, target):
            try:
                runtime = _runtime(word, target, here=here)
                form = _form(model, runtime, folder / f"{number}", target.arch if target else this_host().arch)
                found.append(Candidate(f"{name}, {runtime}", model, form, runtime))
            except EdgekitError as error:
                absent.append(MissingCandidate(name, word, f"{error.message}; {error.hint}"))
    return found, absent


def _runtime(word: str, target: Target | None, *, here: bool) -> Runtime:
    """The runtime that a word names. Raises ToolError if it must be installed here and is not."""
    name = runtime_name(word)
    pinned = next((each for each in target.runtimes if each.name == name), None) if target else None
    if pinned is None:
        return with_float_type(installed_runtime(name), word)
    installed = installed_runtime(name).copy_with(floats=pinned.floats) if here else pinned
    return with_float_type(installed, word)


def _form(model: Path, runtime: Runtime, folder: Path, arch: str) -> Path:
    from edgekit.runtimes.forms import form_for

    return form_for(model, runtime, folder, arch)
