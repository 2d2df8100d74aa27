"""The source of a split's samples: a function of the project or, for an ONNX model, files."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgekit.data.function_samples import samples_from_arrays
from edgekit.data.labels import Labels, labels_of_folders, labels_of_table, no_labels
from edgekit.data.listing import FileKind, Listing, listing_of
from edgekit.data.model_inputs import Inputs
from edgekit.data.samples import UNLABELLED, IndexedSource, Samples
from edgekit.errors import DataError, EntryPointError
from edgekit.model.reading import ports_of
from edgekit.project.entrypoints import entry_function
from edgekit.project.preprocessing import ImagePreprocessing, SoundPreprocessing, preprocessing_as
from edgekit.project.project import Project, is_function
from edgekit.traits import Data

_HELD_OUT = 5
"""One in so many calibration samples is held out for evaluation if no other data is named."""


class Source(Protocol):
    """A source of batches."""

    def batches(self, seed: int) -> Iterable[Any]:
        """(input, target) of each batch, as numpy arrays or tuples of them."""

    def samples(self) -> int | None:
        """The number of samples; None if the source does not report it."""

    def batches_an_epoch(self) -> int | None:
        """The number of batches in an epoch; None if the source does not report it."""

    def origin(self, position: int) -> str:
        """Where the sample at this position comes from; empty if the source does not report it."""


@dataclass(frozen=True)
class OpenedSource:
    """A split's source and its properties."""

    source: Source
    labelled: bool = True
    classes: tuple[str, ...] = ()
    """The class names in the order of their labels; empty if labels are numbers themselves."""
    preprocessing: dict[str, Any] = field(default_factory=dict)
    """The preprocessing of a file; for other data, what the project declares."""
    about: str = ""
    """The dataset's attribute of this name, for example that the data is synthetic."""


def open_source(project: Project, split: Data) -> OpenedSource:
    """The source of a split. Raises EntryPointError, DataError or ModelError if it cannot be used."""
    entry = project.data_entry(split)
    if not entry:
        raise DataError("no samples are given", "give calibration samples: a folder, a file or module:function")
    given = entry_function(project.root, entry)() if is_function(entry) else None
    if project.model_file is None or _is_loader(given):
        source = _torch_source(given, entry, project, split)
        about = getattr(getattr(given, "dataset", given), "about", "")
        return OpenedSource(source, preprocessing=project.preprocessing, about=about if isinstance(about, str) else "")
    inputs = Inputs(ports_of(project.model_file)[0])
    if given is not None:
        found = _FileSamples(samples_from_arrays(given, entry, inputs), preprocessing=project.preprocessing)
    else:
        found = _in_files(project, split, inputs)
    order = _order(project, split, len(found.samples), entry, shuffled=given is None)
    labelled = bool(order) and found.samples.sample(order[0]).target is not UNLABELLED
    source = IndexedSource(found.samples, order, project.data.batch_size)
    return OpenedSource(source, labelled, found.classes, found.preprocessing)


@dataclass(frozen=True)
class _FileSamples:
    samples: Samples
    classes: tuple[str, ...] = ()
    preprocessing: dict[str, Any] = field(default_factory=dict)
    """The settings of the preprocessing."""


def _in_files(project: Project, split: Data, inputs: Inputs) -> _FileSamples:
    listing = listing_of(project.root / project.data_entry(split))
    labels = _labels(project, split, listing)
    value = project.preprocessing
    where = f"[preprocessing] of {listing.kind}"
    if listing.kind is FileKind.ARRAYS:
        from edgekit.data.array_files import ArrayFileSamples

        has_labels = any(target is not UNLABELLED for target in labels.targets)
        stored = ArrayFileSamples(listing.paths, labels.targets if has_labels else None, inputs)
        return _FileSamples(stored, labels.classes, value)
    port, shape = inputs.only(listing.kind)
    if listing.kind is FileKind.IMAGES:
        from edgekit.data import images

        seen = images.preprocessing_for(port, shape, preprocessing_as(ImagePreprocessing, value, where))
        return _FileSamples(images.Images(listing.paths, labels.targets, seen, inputs), labels.classes, seen.settings())
    from edgekit.data import sounds

    asked = preprocessing_as(SoundPreprocessing, value, where)
    heard = sounds.preprocessing_for(port, shape, asked, listing.paths[0])
    return _FileSamples(sounds.Sounds(listing.paths, labels.targets, heard, inputs), labels.classes, heard.settings())


def _labels(project: Project, split: Data, listing: Listing) -> Labels:
    """Labels are read only where a metric is computed; calibration needs none."""
    if split is Data.CALIBRATION and not project.holds_out:
        return no_labels(len(listing.paths))
    if project.data.labels is None:
        return labels_of_folders(listing.root, listing.paths)
    calibration = project.data_entry(Data.CALIBRATION)
    others: Sequence[Path] = () if is_function(calibration) else listing_of(project.root / calibration).paths
    return labels_of_table(project.root / project.data.labels, listing.root, listing.paths, others)


def _order(project: Project, split: Data, count: int, entry: str, *, shuffled: bool) -> Sequence[int]:
    """The sample numbers of a split in order. Files are shuffled, because those of one folder have one class. Without
    data of its own, evaluation takes a fifth of the calibration samples, held out by the project's seed."""
    dealt = shuffled or project.holds_out
    order: Sequence[int] = np.random.default_rng(project.seed).permutation(count).tolist() if dealt else range(count)
    if not project.holds_out or not count:
        return order
    if count < 2:
        raise DataError(
            f"'{entry}' holds one sample, so none can be held out for evaluation", "give --evaluation, or add samples"
        )
    fifth = max(1, count // _HELD_OUT)
    return order[:fifth] if split is Data.EVALUATION else order[fifth:]


def _is_loader(given: Any) -> bool:
    if not sys.modules.get("torch"):
        return False
    from torch.utils.data import DataLoader, IterableDataset

    return isinstance(given, DataLoader | IterableDataset)


def _torch_source(given: Any, entry: str, project: Project, split: Data) -> Source:
    if project.holds_out:
        raise DataError(
            f"'{entry}' cannot be indexed, so no samples can be held out for evaluation", "give evaluation data"
        )
    if sys.modules.get("torch"):
        from torch.utils.data import DataLoader, Dataset

        from edgekit.data.torch_source import TorchSource

        if isinstance(given, Dataset | DataLoader | list):
            return TorchSource(given, project.data.batch_size, split is Data.TRAIN)
    raise EntryPointError(
        f"'{entry}' returned a {type(given).__name__}, not a Dataset, a DataLoader or a list",
        "return a torch.utils.data.Dataset of (input, target) pairs, such as a TensorDataset",
    )
