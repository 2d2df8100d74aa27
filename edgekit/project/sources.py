"""The source files that an entry point depends on, found by parsing imports. Nothing is imported or run."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from edgekit.errors import EntryPointError, first_line
from edgekit.files import sha256_of_file, sha256_of_json

_PACKAGE = Path(__file__).parent.parent
_NOT_VERSIONED = frozenset({"__init__.py", "version.py", "runtime_specs.py", "architectures.py"})
"""The public names, the release number, and tables to which a new runtime or core adds a row. What they decide is part
of a key by itself: versions of packages, and the fields of the target that a step reads."""


def imported_files(root: Path, module: str, package: str = "") -> tuple[Path, ...]:
    """`module`'s file and those of every module below `root` that it imports, directly or indirectly, sorted.

    With `package`, only that package's modules, because installed packages share one root. Imports inside functions
    count; imports for type checkers do not. Imports by a computed name are not found (list such files in `data_files`),
    except for a package whose __init__.py sets LOADED_BY_NAME, of which all files count. Raises EntryPointError if
    `module` is not below `root`, or if a file is not valid Python.
    """
    start = _files_of(root, module)
    if not start:
        raise EntryPointError(
            f"there is no module '{module}' in {root}",
            f"create {module.replace('.', '/')}.py or correct the entry point",
        )
    found: set[Path] = set()
    waiting = list(start)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        if path.name == "__init__.py" and _loads_by_name(path.read_bytes()):
            waiting.extend(path.parent.glob("*.py"))
        for name in _imported_names(path, _module_name(root, path)):
            if not package or name.split(".")[0] == package:
                waiting.extend(_files_of(root, name))
    return tuple(sorted(found))


def sources_digest(root: Path, module: str, package: str = "") -> str:
    """One digest over the text of `imported_files`."""
    return _digest(root, imported_files(root, module, package))


def _digest(root: Path, files: Iterable[Path]) -> str:
    return sha256_of_json({str(path.relative_to(root)): sha256_of_file(path) for path in files})


@cache
def code_version(module: str) -> str:
    """The version of one of edgekit's own modules: the digest of its `versioned_files`."""
    return _digest(_PACKAGE.parent, versioned_files(module))


def versioned_files(module: str) -> list[Path]:
    """The source of one of edgekit's own modules and of all it imports from edgekit, but for the files of
    `_NOT_VERSIONED`."""
    files = imported_files(_PACKAGE.parent, module, _PACKAGE.name)
    return [each for each in files if each.relative_to(_PACKAGE).as_posix() not in _NOT_VERSIONED]


def _files_of(root: Path, module: str) -> list[Path]:
    """The files of a module and its parent packages; empty if it is not below `root`."""
    base = root.joinpath(*module.split("."))
    own = next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
    if own is None:
        return []
    parts = module.split(".")[:-1]
    packages = (root.joinpath(*parts[: depth + 1], "__init__.py") for depth in range(len(parts)))
    return [own, *(path for path in packages if path.is_file())]


def _module_name(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts)


def _imported_names(path: Path, module: str) -> frozenset[str]:
    try:
        return _names_in(path.read_bytes(), module)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise EntryPointError(f"{path}{line} is not valid Python: {first_line(error)}", "correct the file") from error


@cache
def _loads_by_name(source: bytes) -> bool:
    """Whether a package declares that its modules are loaded by computed names."""
    return b"LOADED_BY_NAME" in source and any(
        isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LOADED_BY_NAME"
        for node in ast.parse(source).body
    )


@cache
def _names_in(source: bytes, module: str) -> frozenset[str]:
    """The imports in a module's text. Cached, since all steps of a build read largely the same modules."""
    names: set[str] = set()
    for node in _running(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(module.split(".")[: -node.level]) if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            names.add(origin)
            names.update(f"{origin}.{alias.name}" for alias in node.names)
    return frozenset(names - {""})


def _running(tree: ast.Module) -> Iterator[ast.AST]:
    """A module's statements, except for those that only type checkers read."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            waiting.extend(node.orelse)
        else:
            waiting.extend(each for each in ast.iter_child_nodes(node) if not isinstance(each, ast.expr))
