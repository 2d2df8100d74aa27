"""The user's own functions: import them from the project's folder, call them, and report their errors with their
names."""

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any

from edgekit.errors import EdgekitError, EntryPointError, did_you_mean, type_and_line


def entry_function(root: Path, entry: str) -> Callable[..., Any]:
    """The function that `module:function` names in the project at `root`.

    Raises EntryPointError if the module cannot be imported from there or has no such function.
    """
    module_name, function_name = entry.split(":")
    with _importing_from(root), user_code_errors(f"importing '{module_name}'"):
        try:
            module = import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name != module_name:
                raise EntryPointError(
                    f"importing '{module_name}' failed: there is no module '{error.name}'",
                    f"install it into this environment, or correct the import in {root}",
                ) from error
            raise EntryPointError(
                f"there is no module '{module_name}' in {root}",
                f"create {module_name.replace('.', '/')}.py or correct '{entry}' in edgekit.toml",
            ) from error
    if not _lies_below(root, getattr(module, "__file__", None)):
        raise EntryPointError(
            f"'{module_name}' is an installed module, not one of {root}",
            "give the project's file another name, and correct edgekit.toml",
        )
    function = getattr(module, function_name, None)
    if function is None:
        functions = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise EntryPointError(
            f"'{module_name}' has no function '{function_name}'", did_you_mean(function_name, functions)
        )
    if not callable(function):
        raise EntryPointError(
            f"'{entry}' is a {type(function).__name__}, not a function", "name a function that returns the object"
        )
    return lambda *arguments: _call(function, entry, arguments)


def check_functions(root: Path, entries: Iterable[str]) -> None:
    """Import the functions that `entries` name, so that a wrong name is found before any work. Raises EntryPointError
    as `entry_function` does."""
    for entry in entries:
        entry_function(root, entry)


def _call(function: Callable[..., Any], entry: str, arguments: tuple[Any, ...]) -> Any:
    with user_code_errors(f"'{entry}'"):
        return function(*arguments)


@contextmanager
def user_code_errors(what: str) -> Iterator[None]:
    """Convert an exception of the user's code into an EntryPointError that names `what` and the line that raised it."""
    try:
        yield
    except EdgekitError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise EntryPointError(
            f"{what} raised {type_and_line(error)}",
            f"see {Path(last.filename).name}, line {last.lineno}; --debug shows the whole traceback",
        ) from error


@contextmanager
def _importing_from(root: Path) -> Iterator[None]:
    """Let imports find the project's files first, and never a module of the same name from another project."""
    for name, module in list(sys.modules.items()):
        top = name.split(".")[0]
        is_ours = (root / f"{top}.py").is_file() or (root / top / "__init__.py").is_file()
        if is_ours and not _lies_below(root, getattr(module, "__file__", None)):
            del sys.modules[name]
    invalidate_caches()
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))


def _lies_below(root: Path, file: str | None) -> bool:
    return file is not None and Path(file).resolve().is_relative_to(root.resolve())
