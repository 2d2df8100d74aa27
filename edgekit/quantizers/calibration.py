"""Activation ranges of a model's inner tensors, measured on calibration samples."""

from collections.abc import Set
from pathlib import Path

import numpy as np

from edgekit.arrays import Array
from edgekit.data.calibration_batches import CalibrationBatches
from edgekit.model.ports import inputs_of
from edgekit.model.reading import load_model, save_model
from edgekit.model.split_graph import expose_tensors
from edgekit.runtimes.ort import session, session_outputs
from edgekit.scratch import temporary_folder


def channel_ranges(path: Path, names: Set[str], batches: CalibrationBatches) -> dict[str, Array]:
    """The largest absolute value in each channel (last axis) of a model's inner tensors, by name: shape (channels,).
    Raises ModelError if the model cannot run."""
    model = load_model(path)
    ports = inputs_of(model.graph)
    found: dict[str, Array] = {}
    with temporary_folder() as folder:
        whole = folder / "whole.onnx"
        save_model(expose_tensors(model, names), whole)
        running = session(whole)
        for feed in batches.feeds(ports):
            given = session_outputs(running, feed)
            values = dict(zip((*(port.name for port in ports), *given.names), (*feed, *given), strict=True))
            for name in names & values.keys():
                largest = np.abs(values[name]).reshape(-1, values[name].shape[-1]).max(axis=0)
                found[name] = np.maximum(found[name], largest) if name in found else largest
    return found
