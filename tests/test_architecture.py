"""Imports run one way, from the command line to the ground, and heavy packages stay in their rooms."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import edgekit

ROOT = Path(edgekit.__file__).parent
HEAVY = {
    "torch",
    "onnxruntime",
    "onnx",
    "numpy",
    "rich",
    "torch_pruning",
    "sklearn",
    "neural_compressor",
    "tflite_runtime",
    "ai_edge_litert",
    "openvino",
}


def rooms() -> dict[str, int]:
    """The rooms and loose modules with their floors, as CONTRIBUTING.md's table has them."""
    text = (ROOT.parent / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.+?) \| .+ \|$", text, re.MULTILINE)
    return {name: int(floor) for floor, names in rows for name in re.findall(r"`(\w+)(?:/|\.py)`", names)}


FLOORS = rooms()


def modules() -> dict[str, Path]:
    paths = {path: ".".join(path.relative_to(ROOT.parent).with_suffix("").parts) for path in ROOT.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for path, name in paths.items() if "_template" not in name}


def imports(path: Path, *, everywhere: bool) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if everywhere else _at_module_level(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _at_module_level(tree: ast.Module) -> list[ast.stmt]:
    """Statements that run on import; not those under `if TYPE_CHECKING`."""
    return [node for node in tree.body if not isinstance(node, ast.If)]


def ours(path: Path, *, everywhere: bool) -> set[str]:
    known = modules()
    return {name for name in imports(path, everywhere=everywhere) if name in known and name != "edgekit"}


def room_of(module: str) -> str:
    return module.removeprefix("edgekit.").split(".")[0] if module != "edgekit" else "__init__"


def test_contributing_lists_every_room_and_no_other() -> None:
    found = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert set(FLOORS) == found - {"__init__", "__main__"}


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_module_imports_only_from_its_own_room_and_lower_floors(module: str) -> None:
    room = room_of(module)
    for imported in ours(modules()[module], everywhere=True):
        other = room_of(imported)
        floor = FLOORS.get(room, max(FLOORS.values()) + 1)
        assert other == room or FLOORS[other] < floor, f"{module} on floor {floor} imports {imported}"


def test_no_floor_is_higher_than_its_rooms_need() -> None:
    """Floors are numbered without gaps: a room stands one floor above the highest room that it imports."""
    above = {room: {room_of(each) for name, path in modules().items() if room_of(name) == room
                    for each in ours(path, everywhere=True)} - {room} for room in FLOORS}  # fmt: skip
    for room, floor in FLOORS.items():
        assert floor == 1 + max((FLOORS[each] for each in above[room]), default=0), room


def test_execution_knows_neither_verdict_nor_bundle() -> None:
    for path in (ROOT / "execution").glob("*.py"):
        rooms = {name.split(".")[1] for name in ours(path, everywhere=True)}
        assert not rooms & {"gates", "builds", "bundle", "runners"}, path


def test_there_is_no_circle() -> None:
    graph = {name: ours(path, everywhere=True) - {name} for name, path in modules().items()}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("module", sorted(name for name in modules() if name.split(".")[1:2] in (["cli"], ["steps"])))
def test_commands_and_steps_are_imported_without_anything_heavy(module: str) -> None:
    top = {name.split(".")[0] for name in imports(modules()[module], everywhere=False)}
    if module != "edgekit.cli.progress":
        assert not top & HEAVY


@pytest.mark.parametrize("word", ["utils", "manager", "helper", "misc", "common"])
def test_no_module_has_a_name_that_says_nothing(word: str) -> None:
    assert not [name for name in modules() if word in name]


def test_no_package_or_module_is_named_like_a_public_function() -> None:
    """`import edgekit.study` would otherwise replace the function `edgekit.study`."""
    public = {name for name in edgekit.__all__ if callable(getattr(edgekit, name))}
    assert not public & {name.split(".")[1] for name in modules() if "." in name}


def test_help_starts_without_anything_heavy() -> None:
    script = (
        "import sys; sys.argv = ['edgekit', '--help']\nimport atexit\natexit.register(lambda: print(*sys.modules))\n"
    )
    script += "from edgekit.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "build" in done.stdout
    assert not {name.split(".")[0] for name in done.stdout.split()} & (HEAVY | {"msgspec", "rich"})


def test_what_is_sent_to_a_board_imports_nothing_of_edgekit() -> None:
    for path in (ROOT / "device").rglob("*.py"):
        assert not ours(path, everywhere=True), path


def test_every_module_is_tested_by_a_file_of_its_own() -> None:
    for name in modules():
        short = name.removeprefix("edgekit.")
        if modules()[name].name == "__init__.py":
            continue
        *rooms, last = short.split(".")
        assert Path(__file__).parent.joinpath(*rooms, f"test_{last}.py").is_file(), f"{name} has no test file"


def test_what_others_say_is_put_into_words_by_one_function() -> None:
    """An exception's message may be empty, or a page long: errors.py has the functions that cope."""
    for name, path in modules().items():
        if name == "edgekit.errors" or path.is_relative_to(ROOT / "device"):
            continue
        for handler in ast.walk(ast.parse(path.read_text())):
            if isinstance(handler, ast.ExceptHandler) and handler.name:
                plain = [each for each in ast.walk(handler) if _is_said_plainly(each, handler.name)]
                assert not plain, f"{path}, line {plain[0].lineno}: say it with errors.first_line"


def _is_said_plainly(node: ast.AST, name: str) -> bool:
    said = node.value if isinstance(node, ast.FormattedValue) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("str", "repr") and node.args:
        said = node.args[0]
    return isinstance(said, ast.Name) and said.id == name
