import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.errors import EntryPointError
from edgekit.project.sources import code_version, imported_files, sources_digest


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(root: Path, module: str) -> list[str]:
    return [str(path.relative_to(root)) for path in imported_files(root, module)]


def test_imports_are_followed_wherever_they_stand(tmp_path: Path) -> None:
    write(
        tmp_path,
        model="import torch\nimport layers\n\ndef f():\n    from package.inner import thing\n",
        layers="from blocks import Block",
        blocks="import layers",
        package____init__="",
        package__inner="from . import sibling\nfrom .sibling import x",
        package__sibling="",
        other="",
    )
    (tmp_path / "package" / "__init__.py").write_text("")
    found = names(tmp_path, "model")
    assert {
        "model.py",
        "layers.py",
        "blocks.py",
        "package/inner.py",
        "package/__init__.py",
        "package/sibling.py",
    } <= set(found)
    assert "other.py" not in found


def test_what_only_type_checkers_import_does_not_count(tmp_path: Path) -> None:
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\nelse:\n    import b\nimport c\n"
    write(tmp_path, model=text, a="", b="", c="")
    assert names(tmp_path, "model") == ["b.py", "c.py", "model.py"]


def test_the_digest_changes_with_an_imported_file_and_with_no_other(tmp_path: Path) -> None:
    write(tmp_path, model="import layers", layers="x = 1", other="")
    before = sources_digest(tmp_path, "model")
    write(tmp_path, other="changed = 1")
    assert sources_digest(tmp_path, "model") == before
    write(tmp_path, layers="x = 2")
    assert sources_digest(tmp_path, "model") != before


def test_an_absent_module_and_broken_python_are_reported(tmp_path: Path) -> None:
    with pytest.raises(EntryPointError, match="no module 'model'"):
        imported_files(tmp_path, "model")
    write(tmp_path, model="def f(:")
    with pytest.raises(EntryPointError, match=r"model\.py, line 1"):
        imported_files(tmp_path, "model")


def test_a_step_has_the_version_of_what_it_imports() -> None:
    assert len(code_version("edgekit.steps.train")) == 64
    assert code_version("edgekit.steps.train") != code_version("edgekit.steps.fuse")


def test_a_package_that_loads_its_files_by_name_counts_whole(tmp_path: Path) -> None:
    for package, text in (("by_name", "LOADED_BY_NAME = True\n"), ("plain", "# LOADED_BY_NAME = True\n")):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(text)
        (tmp_path / package / "one.py").write_text("import other\n")
    write(tmp_path, model="import by_name, plain", other="")
    assert names(tmp_path, "model") == [
        "by_name/__init__.py",
        "by_name/one.py",
        "model.py",
        "other.py",
        "plain/__init__.py",
    ]


def test_the_release_and_its_public_names_are_no_part_of_a_version(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent.parent
    shutil.copytree(root / "edgekit", tmp_path / "edgekit")
    script = "from edgekit.project.sources import code_version as v; print(v('edgekit.steps.train'))"

    def version() -> str:
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout

    before = version()
    for name in ("__init__.py", "version.py", "runtime_specs.py", "architectures.py"):
        with (tmp_path / "edgekit" / name).open("a") as file:
            file.write("__version__ = '99'\n")
    assert version() == before
    with (tmp_path / "edgekit" / "training" / "loop.py").open("a") as file:
        file.write("# changed\n")
    assert version() != before


def test_installed_beside_others_a_step_is_versioned_by_edgekit_alone(tmp_path: Path) -> None:
    """In site-packages, torch lies below the same root as edgekit: parsing it took half a minute a step."""
    shutil.copytree(Path(__file__).parent.parent.parent / "edgekit", tmp_path / "edgekit")
    shutil.copytree(Path(__file__).parent.parent.parent / "targets", tmp_path / "edgekit" / "_targets")
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("this is no Python: parsing it fails")
    script = "import edgekit; print(edgekit.__file__); from edgekit.project.sources import code_version as v; "
    script += "print(v('edgekit.steps.train'))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    place, version = done.stdout.split()
    assert place.startswith(str(tmp_path)) and version == code_version("edgekit.steps.train")
