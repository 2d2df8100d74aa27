"""The inputs of a model while it is measured."""

from itertools import islice
from pathlib import Path

import numpy as np

from edgekit.arrays import Arrays
from edgekit.data.array_files import read_rows
from edgekit.data.model_inputs import Inputs
from edgekit.errors import DataError, ModelError
from edgekit.formats import check_sizes, ports_of
from edgekit.model.feeding import feeding_of
from edgekit.model.sample import feeds_like
from edgekit.model.sizes import Sizes
from edgekit.wording import count_of


def feeds_of(model: Path, batch: int, count: int, sizes: Sizes, file: Path | None) -> Arrays:
    """At most `count` feeds of `batch` samples, one array with axes (feeds, ...) per input: from a file of samples, or
    random. Dynamic axes have the lengths in `sizes`.

    Raises ModelError if the model takes another batch size, DataError for a file that cannot be read, does not fit, or
    has too few samples.
    """
    ports = ports_of(model)[0]
    check_sizes(model, sizes, ports)
    feeding = feeding_of(ports)
    if batch > 1 and feeding.size not in (0, batch):
        raise ModelError(
            f"{model.name} has the fixed batch size {feeding.size}, not {batch}",
            "export it with a dynamic batch axis",
        )
    if file is None:
        return feeds_like(ports, count, sizes, batch)
    given = read_rows(file, Inputs(ports))[0]
    if len(given[0]) < batch:
        raise DataError(
            f"{file} holds {count_of(len(given[0]), 'sample')}, fewer than the batch size {batch}", "give more"
        )
    whole = (feed for feed, samples in feeding.feeds(given, batch) if samples >= batch)
    return tuple(np.stack(each) for each in zip(*islice(whole, count), strict=True))
