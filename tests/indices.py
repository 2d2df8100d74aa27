"""Indices of wheels and packages in a folder, for pip and apt without a network."""

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest


def write_wheel(folder: Path, name: str, version: str, content: str = "X = 1\n") -> Path:
    """A wheel with one module."""
    folder.mkdir(parents=True, exist_ok=True)
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    path = folder / f"{module}-{version}-py3-none-any.whl"
    texts = {
        f"{module}.py": content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in texts.items():
            archive.writestr(zipfile.ZipInfo(each), text)
        record = "".join(f"{each},,\n" for each in (*texts, f"{info}/RECORD"))
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), record)
    return path


def use_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pip take the wheels in a folder as the user's index."""
    simple = folder / "simple"
    for wheel in folder.glob("*.whl"):
        name = wheel.name.split("-")[0].replace("_", "-")
        page = simple / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        digest = sha256(wheel)
        page.write_text(f'<a href="{wheel.as_uri()}#sha256={digest}">{wheel.name}</a>\n')
    for variable in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(variable, raising=False)
    configuration = folder / "pip.conf"
    configuration.write_text(
        f"[global]\nindex-url = {simple.as_uri()}\n[install]\nuser = true\n[download]\npre = true\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))


def write_package(folder: Path, name: str, version: str, content: str = "text\n", needs: str = "") -> Path:
    """A Debian package with one file, /usr/share/NAME."""
    tree = folder / f"tree-{name}"
    (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
    (tree / "usr" / "share").mkdir(parents=True, exist_ok=True)
    (tree / "usr" / "share" / name).write_text(content)
    lines = [f"Package: {name}", f"Version: {version}", "Architecture: all", "Maintainer: test", "Description: test"]
    lines += [f"Depends: {needs}"] if needs else []
    (tree / "DEBIAN" / "control").write_text("\n".join(lines) + "\n")
    path = folder / f"{name}_{version.replace(':', '%3a')}_all.deb"
    subprocess.run(["dpkg-deb", "-b", "--root-owner-group", str(tree), str(path)], check=True, capture_output=True)
    (folder / f"{path.name}.control").write_text("\n".join(lines) + "\n")
    return path


def use_mirror(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make apt take the packages in a folder as the system's only mirror."""
    entries = []
    for deb in sorted(folder.glob("*.deb")):
        control = (folder / f"{deb.name}.control").read_text()
        entries.append(f"{control}Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {sha256(deb)}\n")
    (folder / "Packages").write_text("\n".join(entries))
    (folder / "sources.list").write_text(f"deb [trusted=yes] file:{folder} ./\n")
    (folder / "empty").mkdir(exist_ok=True)
    (folder / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{folder}/sources.list";\nDir::Etc::sourceparts "{folder}/empty";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(folder / "apt.conf"))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
