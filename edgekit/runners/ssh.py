"""ssh: a board, or any other machine with an sshd."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from edgekit.errors import BoardError
from edgekit.formats import format_of
from edgekit.progress import Progress
from edgekit.runners.address import Address
from edgekit.runners.answers import Ended, understood
from edgekit.runners.board import Board, board_at, check_is, provide_runtime
from edgekit.runners.connection import Request, answer
from edgekit.runners.runner import WORKER, Job, Result, read_results, run_error, stage_words, write_job
from edgekit.runtimes.opening import host_runtime
from edgekit.scratch import temporary_folder
from edgekit.target import Runtime, Target
from edgekit.traits import Fidelity


class SshRunner:
    """Sends the worker to a board and fetches its results. Only the runtime stays there.

    Raises BoardError if the board cannot be reached, is not the target, or cannot get the target's runtime. Without a
    target, a run uses this machine's runtimes for its models, and raises the same.
    """

    def __init__(self, address: Address, target: Target | None, progress: Progress) -> None:
        self.board: Board = board_at(address)
        self.target = target
        self.progress = progress
        if target:
            check_is(self.board, target)
        self.kept: dict[str, str] = {}
        if target:
            self._provide([target.runtime])

    @property
    def fidelity(self) -> Fidelity:
        return Fidelity.NATIVE if self.board.is_here else Fidelity.DEVICE

    def identity(self) -> str:
        board = self.board
        where = f"{board.name}, {board.cpu}" if board.cpu not in board.name else board.name
        return f"ssh {board.address}: {where}{f', {self.target.runtime}' if self.target else ''}"

    def _provide(self, runtimes: Sequence[Runtime]) -> list[str]:
        """The folders of runtimes that share a process on the board; empty if its own Python has all of them."""
        if all(map(self.board.has, runtimes)):
            return []
        # The runtime that needs the oldest numpy comes first, with that numpy: the others work with it as well.
        ordered = sorted(runtimes, key=lambda each: each.spec.numpy)
        for each in ordered:
            name = self.board.kept_name(each)
            if name not in self.kept:
                self.kept[name] = provide_runtime(self.board, each, self.progress)
        return list(dict.fromkeys(self.kept[self.board.kept_name(each)] for each in ordered))

    def _runtime_for(self, model: Path) -> Runtime:
        return self.target.runtime if self.target else host_runtime(format_of(model))

    def run(self, job: Job) -> Result:
        said = [""]
        runtimes = job.runtimes or [self._runtime_for(model) for model in job.models]
        kept = self._provide(runtimes)
        own = {"PYTHONPATH": ":".join(f"{{home}}/{each}" for each in kept)} if kept else {}
        command = ["{python}", *(["-S"] if kept else [])]
        asked = {"do": "run", "command": command, "environment": own, "limit_s": job.limit_s}
        with (
            temporary_folder() as sent,
            temporary_folder() as received,
        ):
            write_job(job, sent, runtimes)
            shutil.copy(WORKER, sent)
            request = Request(
                asked,
                sent=sent,
                received=received,
                limit_s=job.limit_s,
                doing=lambda: stage_words(said[-1]),
                heard=lambda line: said.append(line.said),
            )
            result = answer(self.board.address, request, Ended)
            if result.ended or result.expired:
                words = result.words
                if "No space left" in words:
                    raise BoardError(f"the disk of {self.board.address} is full", "free some space there and run again")
                code = None if result.expired else result.ended
                raise run_error(code, words, said[-1], job, self.board.cpu, runtimes)
            with understood(self.board.address, BoardError):
                return read_results(job, received).result(self.fidelity)
