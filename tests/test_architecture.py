"""Imports run one way, from the command line to the ground, and heavy packages stay in their rooms."""

import ast
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

# From the ground up: a module may import from its own row and from those above it in this list, at module level or not.
FLOORS = (
    {"errors", "traits", "arrays", "progress", "version", "device", "wording", "architectures", "runtime_specs"},
    {"files", "host", "records"},
    {"target", "cache", "model"},
    {"tflite", "instruction_counts"},
    {"formats"},
    {"figures", "project"},
    {"runtimes", "data"},
    {"runners", "latency", "numerics"},
    {"contract", "metrics", "quantizers"},
    {"training"},
    {"pruning", "survey"},
    {"steps"},
    {"planning"},
    {"execution"},
    {"studies"},
    {"gates"},
    {"benchmarking"},
    {"bundle"},
    {"builds"},
    {"report"},
    {"api"},
    {"cli", "__main__", "edgekit"},
)

# What may lie loose beside the rooms.
LOOSE = {
    "__init__", "__main__", "api", "records", "cache", "version", "architectures", "runtime_specs",
    "target", "wording", "files", "formats", "host",
    "traits", "errors", "progress", "arrays",
}  # fmt: skip


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


def floor_of(module: str) -> int:
    name = module.removeprefix("edgekit.")
    for named in (name, name.split(".")[0]):
        for number, row in enumerate(FLOORS):
            if named in row:
                return number
    raise AssertionError(f"{module} stands on no floor: add it to FLOORS")


@pytest.mark.parametrize("module", sorted(modules()))
def test_no_module_imports_from_a_higher_floor(module: str) -> None:
    for imported in ours(modules()[module], everywhere=True):
        assert floor_of(imported) <= floor_of(module), f"{module} imports {imported}, which stands above it"


def test_the_loose_files_are_those_that_belong_to_no_room() -> None:
    assert {path.stem for path in ROOT.glob("*.py")} == LOOSE


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
    untested = {
        "traits",
        "contract.technique",
        "contract.artifact",
        "arrays",
        "progress",
        "version",
        "__main__",
    }
    for name in modules():
        short = name.removeprefix("edgekit.")
        if short in untested or "." not in name or modules()[name].name == "__init__.py":
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
