"""The test files of what changed since the last commit: python tests/changed.py, for `make quick`."""

import subprocess
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
ALWAYS = ("tests/test_architecture.py",)
_DATA = {"targets": "tests/test_target.py", "edgekit/planning/recipes": "tests/planning/test_recipe.py"}


def changed_files() -> list[str]:
    """What git sees as changed or new in the working tree, below the root."""
    output = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all", "--no-renames", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [entry[3:] for entry in output.split("\0") if entry]


def test_file_of(file: str) -> str | None:
    """The test file that mirrors a file of the package; a test file is its own."""
    path = PurePosixPath(file)
    if path.parts[0] == "tests":
        return file if path.name.startswith("test_") else None
    for folder, test in _DATA.items():
        if path.is_relative_to(folder):
            return test
    if path.parts[0] != "edgekit" or path.name == "__init__.py":
        return None
    return str(PurePosixPath("tests", *path.parts[1:-1], f"test_{path.stem}.py"))


def main() -> None:
    found = {test for file in changed_files() if (test := test_file_of(file)) is not None}
    print(*sorted({*ALWAYS, *(each for each in found if (ROOT / each).is_file())}))


if __name__ == "__main__":
    main()
