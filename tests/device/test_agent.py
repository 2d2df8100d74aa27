"""The agent as a process of its own, with pipes for a connection."""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from edgekit.runners.connection import AGENT


def asked(home: Path, packed: bytes = b"", **request: Any) -> list[dict[str, Any]]:
    """The lines that it answers."""
    result = json.dumps({**request, "size": len(packed)}).encode() + b"\n"
    done = subprocess.run(
        [sys.executable, str(AGENT)],
        input=result + packed,
        capture_output=True,
        env={**os.environ, "XDG_CACHE_HOME": str(home)},
        timeout=60,
    )
    assert not done.stderr, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]


def packed(**files: bytes) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return written.getvalue()


def test_a_runtime_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    whole = packed(module=b"x" * 20_000)
    assert asked(tmp_path, whole, do="keep", name="runtime")[-1]["kept"]
    assert (tmp_path / "edgekit" / "runtime" / "module").stat().st_size == 20_000
    result = json.dumps({"do": "keep", "name": "other", "size": len(whole)}).encode() + b"\n"
    subprocess.run(
        [sys.executable, str(AGENT)],
        input=result + whole[:5000],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        check=False,
    )
    assert [each.name for each in (tmp_path / "edgekit").iterdir()] == ["runtime"]


def test_a_file_where_its_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "edgekit").write_text("")
    (value,) = asked(tmp_path, packed(a=b""), do="keep", name="runtime")
    assert value["fault"] == "refused" and value["folder"] == str(tmp_path / "edgekit")


def test_the_worker_is_killed_when_nobody_listens_any_more(tmp_path: Path) -> None:
    """Standard input ends right behind the tar file."""
    worker = b"import time\nprint('imported', flush=True)\ntime.sleep(600)\n"
    found = asked(
        tmp_path, packed(**{"worker.py": worker}), do="run", command=["{python}"], environment={}, limit_s=300
    )
    assert found[-1]["lost"] and found[-1]["ended"] == -9
    assert not list((tmp_path / "edgekit").iterdir())
