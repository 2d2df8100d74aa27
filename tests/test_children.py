import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekit.children import module_command, script_command


def test_a_script_gets_its_arguments_and_nothing_of_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong module')")
    command = script_command("import json, sys\nprint(json.dumps(sys.argv[1:]))", "a", "b c")
    assert subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout == '["a", "b c"]\n'


def test_a_module_runs_as_a_program(tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()
    command = module_command("json.tool", ["--compact"])
    done = subprocess.run(command, input="[1, 2]", capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "[1,2]\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends children with their parent")
def test_a_child_ends_with_a_parent_that_is_killed() -> None:
    child = script_command("import time\nprint('started', flush=True)\ntime.sleep(600)")
    parent = "import subprocess, sys\nwith subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) as process:\n"
    parent += "    process.stdout.readline()\n    print(process.pid, flush=True)\n    sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", parent, *child], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        os.kill(pid, 0)
        process.send_signal(signal.SIGKILL)
    for _ in range(600):
        if not _is_running(pid):
            return
        time.sleep(0.1)
    raise AssertionError("the child is still there after a minute")


def _is_running(pid: int) -> bool:
    """Whether a process is there and has not ended, which a process without a parent to ask for it may look like."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
