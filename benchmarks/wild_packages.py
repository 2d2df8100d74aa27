"""The packages of wild.py: their models, the inputs that each receives, and a run of each with another file."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import wild_inputs

Feeds = list[dict[str, Any]]
CALIBRATION_PAGES, PAGES = 24, 24
CALIBRATION_FILES, FILES = 400, 1000
CALIBRATION_RECORDINGS, RECORDINGS = 6, 8


@dataclass(frozen=True)
class Wild:
    """A model in a package."""

    name: str
    path: Path
    feeds: Callable[[], Feeds]
    """The inputs that the package gave the model on the calibration inputs."""
    agreement: Callable[[Path], float]
    """In per cent: how often the package gives the same result with another file as with its own, on other inputs."""
    what: str
    """What is compared, such as lines of text."""
    level: float
    options: tuple[str, ...] = ()
    """Options of the build."""


@contextmanager
def recorded(path: Path) -> Iterator[Feeds]:
    """Record the inputs of every session of a file."""
    feeds: Feeds = []
    run = onnxruntime.InferenceSession.run

    def recording(session: Any, names: Any, feed: Mapping[str, Any], *rest: Any, **more: Any) -> Any:
        if Path(session._model_path) == path:
            feeds.append({name: np.asarray(value) for name, value in feed.items()})
        return run(session, names, feed, *rest, **more)

    onnxruntime.InferenceSession.run = recording
    try:
        yield feeds
    finally:
        onnxruntime.InferenceSession.run = run


def models() -> list[Wild]:
    return [*_ocr(), _file_types(), *_speech()]


def _ocr() -> list[Wild]:
    folder = Path(str(resources("rapidocr_onnxruntime"))) / "models"
    found = []
    for role, name in (
        ("det", "ch_PP-OCRv4_det_infer.onnx"),
        ("rec", "ch_PP-OCRv4_rec_infer.onnx"),
        ("cls", "ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    ):
        path = folder / name
        found.append(
            Wild(
                f"rapidocr-{role}",
                path,
                lambda path=path: _given_for_pages(path),
                lambda given, role=role: _same_lines({role: given}),
                "lines",
                100.0,
            )
        )
    return found


def _given_for_pages(path: Path) -> Feeds:
    from rapidocr_onnxruntime import RapidOCR

    with recorded(path) as feeds:
        reader = RapidOCR()
        for seed in range(1000, 1000 + CALIBRATION_PAGES):
            reader(wild_inputs.page(seed))
    return feeds


def _lines(given: Mapping[str, Path]) -> list[list[str]]:
    from rapidocr_onnxruntime import RapidOCR

    reader = RapidOCR(**{f"{role}_model_path": str(path) for role, path in given.items()})
    pages = (reader(wild_inputs.page(seed))[0] for seed in range(PAGES))
    return [[text for _, text, _ in page or []] for page in pages]


@cache
def _own_lines() -> list[list[str]]:
    return _lines({})


def _same_lines(given: Mapping[str, Path]) -> float:
    """The share of lines that both read alike and in the same order, among the lines that either reads."""
    from difflib import SequenceMatcher

    pairs = list(zip(_own_lines(), _lines(given), strict=True))
    same = sum(
        block.size for own, other in pairs for block in SequenceMatcher(None, own, other, False).get_matching_blocks()
    )
    return 100.0 * same / sum(max(len(own), len(other)) for own, other in pairs)


def _file_types() -> Wild:
    folder = Path(str(resources("magika"))) / "models" / "standard_v3_3"

    def feeds() -> Feeds:
        from magika import Magika

        with recorded(folder / "model.onnx") as given:
            known = Magika()
            for path in wild_inputs.files(FILES + CALIBRATION_FILES)[FILES:]:
                known.identify_path(path)
        return given

    def agreement(given: Path) -> float:
        from magika import Magika

        other = given.parent / "magika"
        shutil.copytree(folder, other, dirs_exist_ok=True)
        shutil.copyfile(given, other / "model.onnx")
        paths = wild_inputs.files(FILES)
        own, theirs = ([each.output.label for each in one.identify_paths(paths)] for one in (Magika(), Magika(other)))
        return 100.0 * float(np.mean([a == b for a, b in zip(own, theirs, strict=True)]))

    return Wild("magika", folder / "model.onnx", feeds, agreement, "file types", 98.0, ("--metric", "agreement"))


def _speech() -> list[Wild]:
    folder = Path(str(resources("silero_vad"))) / "data"
    found = []
    for name in ("silero_vad", "silero_vad_op18_ifless", "silero_vad_16k_sequence"):
        path = folder / f"{name}.onnx"
        found.append(
            Wild(
                name.replace("_", "-"),
                path,
                lambda path=path: _given_for_recordings(path),
                lambda given, path=path: _alike_frames(path, given),
                "frames",
                95.0,
            )
        )
    return found


def _given_for_recordings(path: Path) -> Feeds:
    with recorded(path) as feeds:
        _curves(path, path, range(100, 100 + CALIBRATION_RECORDINGS))
    return feeds


def _alike_frames(path: Path, given: Path) -> float:
    own, other = (_curves(path, each, range(RECORDINGS)) for each in (path, given))
    return 100.0 * float((np.abs(own - other) <= 0.05).mean())


@cache
def _speaker() -> wild_inputs.Speaker:
    """The speaker; the library can be initialized only once in a process."""
    return wild_inputs.Speaker()


@cache
def _recording(seed: int) -> Any:
    """A recording that is the same for both files: the voice's state affects what it says next."""
    return wild_inputs.recording(_speaker(), seed)


def _curves(own: Path, path: Path, seeds: Sequence[int]) -> Any:
    """The speech curves of recordings, concatenated, with `path` instead of the package's `own`."""
    import torch
    from silero_vad.sequence_vad import SileroVADSequence
    from silero_vad.utils_vad import OnnxWrapper

    curves = []
    if "sequence" in own.name:
        whole = SileroVADSequence(str(path))
        curves = [whole.audio_forward(_recording(seed)) for seed in seeds]
        return np.concatenate(curves)
    stream = OnnxWrapper(str(path), force_onnx_cpu=True)
    for seed in seeds:
        stream.reset_states()
        sound = torch.from_numpy(_recording(seed))
        curves.append([float(stream(sound[at : at + 512], wild_inputs.RATE)) for at in range(0, len(sound) - 511, 512)])
    return np.concatenate(curves)
