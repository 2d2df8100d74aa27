"""A new project: the digits example's files under another name."""

import re
from pathlib import Path

from edgekit.errors import ProjectError
from edgekit.files import write_bytes
from edgekit.project.from_file import to_project_name

_FILES = ("edgekit.toml", "model.py", "data.py")
_IGNORED = ".edgekit/\ndist/\n__pycache__/\n"


def new_project(folder: Path) -> list[Path]:
    """Write a project's files into `folder` and return them. Raises ProjectError if one of them exists."""
    taken = [folder / name for name in _FILES if (folder / name).exists()]
    if taken:
        raise ProjectError(f"{taken[0]} exists already", "give a new folder, or remove the file")
    if folder.exists() and not folder.is_dir():
        raise ProjectError(f"{folder} is a file", "name a folder")
    written = []
    for name in _FILES:
        text = (_template_folder() / name).read_text(encoding="utf-8")
        if name == "edgekit.toml":
            text = re.sub(r"^name = .*$", f'name = "{project_name(folder)}"', text, count=1, flags=re.MULTILINE)
        write_bytes(folder / name, text.encode())
        written.append(folder / name)
    if not (folder / ".gitignore").exists():
        write_bytes(folder / ".gitignore", _IGNORED.encode())
        written.append(folder / ".gitignore")
    return written


def project_name(folder: Path) -> str:
    """A folder's name as a project's name."""
    return to_project_name(folder.resolve().name)


def _template_folder() -> Path:
    """The folder of the example's files: inside the wheel, or at the top of a checkout."""
    installed = Path(__file__).with_name("_template")
    return installed if installed.is_dir() else Path(__file__).parent.parent.parent / "examples" / "digits"
