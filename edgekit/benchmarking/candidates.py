"""Who takes turns in a bench: model files, each under what the runner has for it or under several runtimes."""

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
    """As it was named."""
    file: Path
    """As the runtime takes it."""
    runtime: Runtime | None = None
    """None: what the runner has for it."""


@dataclass(frozen=True)
class MissingCandidate:
    """A runtime that was asked for and does not run a model."""

    model: str
    runtime: str
    why: str


def names_of(models: Sequence[Path]) -> list[str]:
    """What files are called: by their names, or, where two have the same, by their paths."""
    names = [model.name for model in models]
    return names if len(set(names)) == len(names) else [str(model) for model in models]


def find_candidates(
    models: Sequence[Path], words: Sequence[str], target: Target | None, folder: Path, *, here: bool
) -> tuple[list[Candidate], list[MissingCandidate]]:
    """The models as they are; or, where `words` name runtimes, each under each of them in the form that it takes, which
    is left in `folder`, and those that cannot be, with the reason.

    Words are those of `runtime_words`. A target's runtimes are those that its file names; `here` they are as this
    machine has them. Raises TargetError for a word that is no runtime, or none of the target's; ModelError for a file
    that is no model.
    """
    names = names_of(models)
    if not words:
        return [Candidate(name, model, model) for name, model in zip(names, models, strict=True)], []
    for model in models:
        ports_of(model)  # what cannot be read is not for each runtime to tell
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
    """What a word names. Raises ToolError where it is to be on this machine and is not."""
    name = runtime_name(word)
    pinned = next((each for each in target.runtimes if each.name == name), None) if target else None
    if pinned is None:
        return with_float_type(installed_runtime(name), word)
    installed = installed_runtime(name).copy_with(floats=pinned.floats) if here else pinned
    return with_float_type(installed, word)


def _form(model: Path, runtime: Runtime, folder: Path, arch: str) -> Path:
    from edgekit.runtimes.forms import form_for

    return form_for(model, runtime, folder, arch)
