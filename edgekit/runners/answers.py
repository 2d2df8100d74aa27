"""What a worker and an agent may answer: records with bounded texts, numbers and lists, bounded lines, and files of
stated sizes. A board is not trusted: its answers are checked before they are used."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
import onnx
from msgspec import Meta
from onnx import ModelProto

from edgekit.arrays import Array
from edgekit.errors import ToolError, first_line
from edgekit.model.ports import Port
from edgekit.records import Record

_MOST_OF_LINE = 4 * 2**20
"""A /proc/cpuinfo of a thousand CPUs, or a text that a model prints."""
_MOST_OF_LINES = 16 * 2**20
_MOST_OF_FILES = 8 * 10**9
_MOST_OF_JSON = 256 * 10**6
_MOST_OF_GRAPH = 2 * 10**9

Word = Annotated[str, Meta(max_length=300)]
Words = Annotated[str, Meta(max_length=4096)]
Size = Annotated[int, Meta(ge=0, le=2**50)]
Few = Annotated[int, Meta(ge=1, le=65536)]
Milliseconds = Annotated[float, Meta(gt=0, le=1e9)]
FileName = Annotated[str, Meta(pattern=r"\A[a-z]+(_[0-9]+)?(\.[a-z]+)?\Z", max_length=40)]
Kind = TypeVar("Kind")

_KINDS = {
    **{f"{name}{bits}": "iu" for name in ("int", "uint") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": "f" for bits in (16, 32, 64)},
    "bool": "b",
    "string": "SU",
}
"""The kinds of numpy's types in which a runtime returns an output."""


class NonsenseError(ValueError):
    """An answer that is not one of those that edgekit asked for; the message says what is wrong with it."""


class MachineState(Record, frozen=True):
    """The worker's `machine_state`; None for what the system does not report."""

    governor: Word | None = None
    cpus: Few | None = None
    all_cpus: Few | None = None
    load: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    stolen_s: Annotated[float, Meta(ge=0, le=1e12)] | None = None
    celsius: Annotated[float, Meta(ge=-300, le=1000)] | None = None
    clock_khz: Size | None = None
    throttled: Size | None = None
    throttle_count: Size | None = None
    energy_uj: Size | None = None


class Look(Record, frozen=True):
    """The answer to `look`: what a board is."""

    system: Word
    arch: Annotated[str, Meta(pattern=r"\A[\w.-]*\Z", max_length=40)]
    bits: Literal[32, 64]
    python: Annotated[str, Meta(pattern=r"\A[0-9]{1,2}\.[0-9]{1,3}(\.[\w.+-]*)?\Z", max_length=40)]
    cpuinfo: Annotated[str, Meta(max_length=_MOST_OF_LINE)]
    cores: Few | None
    clock_khz: Size | None
    model: Word
    os: Word
    boot: Word
    memory: Size | None
    free_memory: Size | None
    free_disk: Size
    versions: Annotated[dict[Word, Word | None], Meta(max_length=1000)]
    kept: Annotated[list[Words], Meta(max_length=100_000)]
    machine_state: MachineState


class Kept(Record, frozen=True):
    """The answer to `keep`."""

    kept: Words


class Ended(Record, frozen=True):
    """The answer to `run`; the files follow it, one after the other."""

    ended: Annotated[int, Meta(ge=-1000, le=1000)]
    words: Words
    expired: bool
    lost: bool
    peak: Size
    emulator: Size
    files: Annotated[dict[FileName, Size], Meta(max_length=10_000)] = {}


class Said(Record, frozen=True):
    """A line of the worker, with its memory at that time."""

    said: Annotated[str, Meta(max_length=_MOST_OF_LINE)]
    memory: Size


class Fault(Record, frozen=True):
    """The answer to a request that failed."""

    fault: Literal["full", "refused"]
    words: Words
    folder: Words


class RoundAnswer(Record, frozen=True):
    latencies_ms: list[list[Milliseconds]]
    cpu_ms: list[list[Milliseconds]]
    warm_up: Size
    busy: Annotated[float, Meta(ge=0, le=1)]


class WorkerReport(Record, frozen=True):
    """The worker's result.json."""

    runtime: Word
    load_ms: list[Annotated[float, Meta(ge=0, le=1e9)]]
    first_ms: list[Milliseconds]
    peak_memory: Size | None
    resident: dict[Literal["imported", "loaded", "ran"], Size | None]
    rounds: list[RoundAnswer] = []
    machine_state: dict[Literal["before", "after"], MachineState] = {}


class _Event(msgspec.Struct):
    """What edgekit reads of an event of a runtime's profile."""

    name: str
    cat: str
    ts: float
    dur: Annotated[float, Meta(ge=0, le=1e15)] = 0.0
    args: dict[str, Any] = {}


@contextmanager
def understood(who: object, error: type[ToolError]) -> Iterator[None]:
    """Raise `error` for a NonsenseError of the block: the one of `who` answered nonsense."""
    try:
        yield
    except NonsenseError as fault:
        raise error(
            f"{who} answered nonsense: {first_line(fault)}",
            "check that it is the machine you mean, and what a login prints there",
        ) from fault


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of an answer. Raises NonsenseError for more bytes than any answer has."""
    left = _MOST_OF_LINES
    while line := stream.readline(_MOST_OF_LINE):
        left -= len(line)
        if len(line) == _MOST_OF_LINE or left < 0:
            raise NonsenseError(f"more than {_MOST_OF_LINE if left >= 0 else _MOST_OF_LINES:,} bytes of text")
        yield line


def record_in(line: bytes, kind: type[Kind]) -> Kind | Said | Fault:
    """The record in a line: of the worker, of a fault, or the answer, a `kind`. Raises NonsenseError for anything
    else."""
    with _decoding():
        values = msgspec.json.decode(line, type=dict[str, Any])
        if "said" in values:
            return msgspec.convert(values, Said)
        if "fault" in values:
            return msgspec.convert(values, Fault)
        return msgspec.convert(values, kind)


def receive_files(stream: IO[bytes], sizes: Mapping[str, int], folder: Path) -> bool:
    """Write the files that follow an answer to a folder. Returns whether all bytes came. Raises NonsenseError if they
    are more than any answer has."""
    if sum(sizes.values()) > _MOST_OF_FILES:
        raise NonsenseError(f"files of more than {_MOST_OF_FILES / 1e9:.0f} GB")
    for name, size in sizes.items():
        with (folder / name).open("xb") as file:
            while size and (part := stream.read(min(size, 2**20))):
                file.write(part)
                size -= len(part)
        if size:
            return False
    return True


def read_report(path: Path, models: int) -> WorkerReport:
    """The worker's report about so many models. Raises NonsenseError for anything else."""
    with _decoding(path.name):
        report: WorkerReport = msgspec.json.decode(_content(path), type=WorkerReport)
        times: list[Sequence[Any]] = [report.load_ms, report.first_ms]
        for each in report.rounds:
            times += [each.latencies_ms, *([each.cpu_ms] if each.cpu_ms else [])]
            lengths = {len(times) for times in (*each.latencies_ms, *each.cpu_ms)}
            if len(lengths) != 1 or not each.warm_up < lengths.pop():
                raise ValueError("the numbers of its runs differ")
        if any(len(each) != models for each in times):
            raise ValueError(f"its times are not those of {models} models")
        return report


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events of a profile. Raises NonsenseError for anything else."""
    with _decoding(path.name):
        content = _content(path)
        msgspec.json.decode(content, type=list[_Event])
        found: list[dict[str, Any]] = msgspec.json.decode(content)
        return found


def read_outputs(path: Path) -> list[Array]:
    """The arrays of a file of outputs, as numpy.savez writes them. Raises NonsenseError for anything else."""
    with _decoding(path.name), zipfile.ZipFile(path) as archive:
        names = [f"arr_{number}.npy" for number in range(len(archive.namelist()))]
        sizes = [each.file_size for each in archive.infolist()]
        if archive.namelist() != names or sum(sizes) > path.stat().st_size:  # numpy.savez does not compress
            raise ValueError("it is not what numpy.savez writes")
        found = []
        for each in archive.infolist():
            with archive.open(each) as stream:
                found.append(_array_in(stream, each.file_size))
        return found


def check_types(path: Path, outputs: Sequence[Array], ports: Sequence[Port]) -> None:
    """Raises NonsenseError unless there is one array for each output of a model, of its kind of numbers where that is
    known."""
    with _decoding(path.name):
        for array, port in zip(outputs, ports, strict=True):
            expected = _KINDS.get(port.dtype)
            if expected and array.dtype.kind not in expected:
                raise ValueError(f"an output of type {port.dtype} has values of type {array.dtype}")


def read_graph(path: Path) -> ModelProto:
    """The graph of a profile. Raises NonsenseError for anything else."""
    with _decoding(path.name):
        if path.stat().st_size > _MOST_OF_GRAPH:
            raise ValueError(f"it is larger than {_MOST_OF_GRAPH / 1e9:.0f} GB")
        return onnx.load(str(path), load_external_data=False)


def _array_in(stream: IO[bytes], size: int) -> Array:
    """The array in a .npy file of so many bytes. Its header is checked first: numpy allocates what that declares."""
    form: Any = np.lib.format
    read = {(1, 0): form.read_array_header_1_0, (2, 0): form.read_array_header_2_0}
    shape, _, dtype = read[form.read_magic(stream)](stream)
    count = 1
    for length in shape:
        count *= length
    if dtype.hasobject or dtype.itemsize * count != size - stream.tell() or min(shape, default=0) < 0:
        raise ValueError("its size is not the one that its header declares")
    stream.seek(0)
    found: Array = form.read_array(stream, allow_pickle=False)
    return found


def _content(path: Path) -> bytes:
    if path.stat().st_size > _MOST_OF_JSON:
        raise ValueError(f"it is larger than {_MOST_OF_JSON / 1e6:.0f} MB")
    return path.read_bytes()


@contextmanager
def _decoding(name: str = "") -> Iterator[None]:
    """Convert what readers raise for content that is not theirs into a NonsenseError that names the file."""
    try:
        yield
    except Exception as error:  # zipfile and numpy raise many types
        what = "it is missing" if isinstance(error, FileNotFoundError) else first_line(error)
        raise NonsenseError(f"{name}: {what}" if name else what) from error
