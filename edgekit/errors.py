"""Every error that edgekit raises on purpose.

    EdgekitError
    |-- InputError               exit 2: the project, a file or an option is wrong
    |   |-- ProjectError           edgekit.toml
    |   |-- TargetError            a target's TOML, or an unknown target
    |   |-- RecipeError            a recipe, a step's name or options
    |   |-- PlanError              steps that cannot, or should not, follow one another
    |   |-- InteractionsError      the interaction table, or a question that it cannot answer
    |   |-- EvidenceError          a study's results: damaged, or of another model
    |   |-- RunnerError            an unknown runner, or an invalid address
    |   |-- OptionError            an option of a library function
    |   |-- PredictionError        a board or a number of threads without a latency prediction
    |   |-- StudyError             a study that compares nothing, or whose budget ended before the first seed
    |   |-- EntryPointError        a function of the user's: missing, raising, wrong type
    |   |-- DataError              a dataset: empty, NaN, labels out of range, wrong shape
    |   `-- ModelError             a model or weights file that cannot be used
    `-- ToolError                exit 3: a tool or device failed
        |-- StepError              a step failed, or broke its contract
        |-- EmulatorError          no emulator, or it cannot be set up
        |-- FetchError             a download failed, is not pinned, or is not what the lock pins
        |-- ContainerError         no engine, or one that cannot start a container
        |-- BoardError             a board that cannot be reached, is another one, has no space, or answers nonsense
        |-- RunError               a run on a target crashed, hung or ran out of memory
        `-- StorageError           disk full, or a path that cannot be written

Exit code 1 is not an error: a gate, a budget or a plan failed, and the report says which.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class EdgekitError(Exception):
    """What is wrong (`message`, one line) and what to do about it (`hint`, one line)."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(EdgekitError):
    pass


class ProjectError(InputError):
    pass


class TargetError(InputError):
    pass


class RecipeError(InputError):
    pass


class PlanError(InputError):
    pass


class InteractionsError(InputError):
    pass


class EvidenceError(InputError):
    pass


class RunnerError(InputError):
    pass


class OptionError(InputError):
    """An option of a library function has a value that it cannot have."""


class PredictionError(InputError):
    pass


class StudyError(InputError):
    pass


class EntryPointError(InputError):
    pass


class DataError(InputError):
    pass


class ModelError(InputError):
    pass


class ToolError(EdgekitError):
    exit_code = 3


class StepError(ToolError):
    pass


class EmulatorError(ToolError):
    pass


class FetchError(ToolError):
    pass


class ContainerError(ToolError):
    pass


class BoardError(ToolError):
    pass


class RunError(ToolError):
    pass


class StorageError(ToolError):
    pass


_LONGEST = 300


def first_line(message: BaseException | str) -> str:
    """The first non-empty line of a message that is not edgekit's own: printable, at most 300 characters. Where there
    is none, "no message" or the exception's type."""
    return next(iter(_lines(message)), _without_words(message))


def last_line(message: BaseException | str) -> str:
    """The last non-empty line: where a tool reports why it stopped."""
    return next(reversed(_lines(message)), _without_words(message))


def all_lines(message: BaseException | str) -> str:
    """All lines joined into one, for messages that spread over several."""
    return " ".join(_lines(message)) or _without_words(message)


def type_and_line(error: BaseException) -> str:
    """An exception's type, and the first line of its message if it has one."""
    name = type(error).__name__
    return f"{name}: {first_line(error)}" if _lines(error) else f"{name} without a message"


def _lines(message: BaseException | str) -> list[str]:
    try:
        text = str(message)
    except Exception:  # an exception of the user's, whose own __str__ raises
        return []
    lines = ("".join(each if each.isprintable() else " " for each in line).strip() for line in text.splitlines())
    return [line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..." for line in lines if line]


def _without_words(message: BaseException | str) -> str:
    return "no message" if isinstance(message, str) else type(message).__name__


def did_you_mean(word: str, known: list[str], otherwise: str | None = None) -> str:
    """The hint for an unknown word: the most similar known word; if none is similar, `otherwise`, or by default the
    list of known words."""
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    if otherwise is not None:
        return otherwise
    return f"known: {', '.join(sorted(known))}" if known else ""


_WRITE_HINTS = {
    **dict.fromkeys((errno.EACCES, errno.EROFS, errno.EPERM), "check its owner and mode"),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST, errno.EISDIR), "move away what is in its place, or use another path"),
    **dict.fromkeys((errno.ELOOP, errno.ENAMETOOLONG), "use another path"),
}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Convert a full disk, or a refused write at or beside `path`, into a StorageError. An error about a file
    elsewhere, such as one that a user's function reads, is not converted."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"the disk is full: {path} could not be written",
                "free some space (edgekit cache prune) and run again: finished steps are kept",
            ) from error
        place = path.absolute()
        there = Path(error.filename).absolute() if isinstance(error.filename, str) else place
        hint = _WRITE_HINTS.get(error.errno or 0)
        if hint is None or not (there.is_relative_to(place.parent) or place.is_relative_to(there)):
            raise
        if error.errno == errno.ENOTDIR:  # the system names the path below it
            there = next((each for each in (there, *there.parents) if each.is_file()), there)
        where = "" if there == place else f": {there}"
        raise StorageError(f"{path} cannot be written: {error.strerror}{where}", hint) from error
