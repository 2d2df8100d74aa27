"""ssh: a real board, or whatever else an sshd runs on."""

import shutil
import tempfile
from pathlib import Path

from edgekit.errors import BoardError
from edgekit.progress import Progress
from edgekit.runners.address import Address
from edgekit.runners.board import Board, board_at, check_is, provided_runtime
from edgekit.runners.connection import Request, answer
from edgekit.runners.runner import WORKER, Job, Result, finished, run_error, stage_words, write_job
from edgekit.runtimes.opening import host_runtime
from edgekit.target import Runtime, Target
from edgekit.traits import Fidelity


class SshRunner:
    """Sends the worker to a board and brings back what it left; nothing stays there but the runtime.

    Raises BoardError where the board cannot be reached, is not the target, or cannot be given the target's runtime.
    Without a target a run brings what this machine has for its models, which raises the same.
    """

    def __init__(self, address: Address, target: Target | None, progress: Progress) -> None:
        self.board: Board = board_at(address)
        self.target = target
        self.progress = progress
        if target:
            check_is(self.board, target)
        self.kept: dict[Runtime, str] = {}
        if target:
            self._provided(target.runtime)

    @property
    def fidelity(self) -> Fidelity:
        return Fidelity.NATIVE if self.board.is_here else Fidelity.DEVICE

    def identity(self) -> str:
        board = self.board
        where = f"{board.name}, {board.cpu}" if board.cpu not in board.name else board.name
        return f"ssh {board.address}: {where}{f', {self.target.runtime}' if self.target else ''}"

    def _provided(self, runtime: Runtime) -> str:
        """As `provided_runtime`, once."""
        if runtime not in self.kept:
            self.kept[runtime] = provided_runtime(self.board, runtime, self.progress)
        return self.kept[runtime]

    def run(self, job: Job) -> Result:
        said, runtime = [""], self.target.runtime if self.target else host_runtime(job.format)
        kept = self._provided(runtime)
        own = {"PYTHONPATH": f"{{home}}/{kept}"} if kept else {}
        command = ["{python}", *(["-S"] if kept else [])]
        asked = {"do": "run", "command": command, "environment": own, "limit_s": job.limit_s}
        with (
            tempfile.TemporaryDirectory(prefix="edgekit-") as sent,
            tempfile.TemporaryDirectory(prefix="edgekit-") as received,
        ):
            write_job(job, Path(sent), runtime)
            shutil.copy(WORKER, sent)
            request = Request(
                asked,
                sent=Path(sent),
                received=Path(received),
                limit_s=job.limit_s,
                doing=lambda: stage_words(said[-1]),
                heard=lambda told: said.append(told["said"]),
            )
            told = answer(self.board.address, request)
            if told["ended"] or told["expired"]:
                words = told["words"]
                if "No space left" in words:
                    raise BoardError(f"the disk of {self.board.address} is full", "free some space there, and again")
                code = None if told["expired"] else told["ended"]
                raise run_error(code, words, said[-1], job, self.board.cpu, runtime)
            return finished(job, Path(received)).result(self.fidelity)
