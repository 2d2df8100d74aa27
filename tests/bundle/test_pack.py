import json
from math import prod
from pathlib import Path

import numpy as np

from edgekit.builds.build import build
from edgekit.builds.result import Build
from edgekit.bundle.pack import port_scales
from edgekit.model.reading import load_model
from edgekit.progress import Silent
from edgekit.project.project import load_project
from edgekit.runtimes.ort import host_outputs


def test_the_golden_pair_is_what_the_model_gives(built: Build) -> None:
    for each in built.targets:
        value = json.loads((each.bundle / "manifest.json").read_text())["golden"]
        arrays = {}
        for kind in ("inputs", "outputs"):
            (one,) = value[kind]
            raw = (each.bundle / one["file"]).read_bytes()
            assert len(raw) == 4 * prod(one["shape"])
            arrays[kind] = np.frombuffer(raw, "<f4").reshape(one["shape"])
        (y,) = host_outputs(each.bundle / "model.onnx", (arrays["inputs"],))
        assert np.array_equal(y, arrays["outputs"])


def test_scales_are_read_from_the_ports(built: Build, conv_model: Path) -> None:
    scales = port_scales(load_model(built.targets[0].bundle / "model.onnx"))
    assert set(scales) >= {"image", "logits"}
    assert all(-128 <= each["zero_point"] <= 127 for each in scales.values())
    assert not port_scales(load_model(conv_model))


def test_an_older_bundle_is_replaced_whole(built: Build, built_folder: Path) -> None:
    stale = built.targets[0].bundle / "stale.txt"
    stale.write_text("from an older build")
    build(load_project(built_folder), [built.targets[0].target], Silent())
    assert not stale.exists()
    assert sorted(path.name for path in (built_folder / "dist").iterdir()) == ["rpi4", "x86-vnni"]
