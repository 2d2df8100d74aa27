import json
from math import prod
from pathlib import Path

import numpy as np
import pytest

from edgekit.builds.build import build
from edgekit.builds.result import Build
from edgekit.bundle.pack import check_place, port_scales
from edgekit.errors import StorageError
from edgekit.model.reading import load_model
from edgekit.progress import Silent
from edgekit.project.project import Project, load_project
from edgekit.runtimes.ort import host_outputs
from edgekit.target_files import find_target
from tests.conftest import FileProject


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
    bundle = built.targets[0].bundle
    (stale := bundle / "stale.txt").write_text("from an older build")
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"]["stale.txt"] = "its digest"
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    build(load_project(built_folder), [built.targets[0].target], Silent())
    assert not stale.exists()
    assert sorted(path.name for path in (built_folder / "dist").iterdir()) == ["rpi4", "x86-vnni"]


@pytest.mark.parametrize(
    ("manifest", "others", "told"),
    [
        (None, ["notes"], "something else than a bundle of edgekit's"),
        ("torn", [], "something else than a bundle of edgekit's"),
        ("[" * 100_000, [], "something else than a bundle of edgekit's"),
        ({"project": "m", "files": {}}, [], "something else than a bundle of edgekit's"),
        ({"edgekit": "0.1", "project": "other", "files": {}}, [], "the bundle of other"),
        ({"edgekit": "0.1", "project": "m", "files": {"a": ""}}, ["a", "notes"], "notes, which edgekit did not write"),
    ],
)
def test_a_folder_that_edgekit_did_not_write_is_left_alone(
    manifest: object, others: list[str], told: str, file_project: FileProject
) -> None:
    project, target = file_project({"x": ("batch", 3)}).copy_with(name="m"), find_target("rpi4")
    check_place(project, target)
    (folder := project.dist_folder / "rpi4").mkdir(parents=True)
    check_place(project, target)
    if manifest:
        (folder / "manifest.json").write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    for name in others:
        (folder / name).touch()
    with pytest.raises(StorageError, match=told) as found:
        check_place(project, target)
    assert found.value.hint == "move it away, or build in another folder: -C DIR"


def test_a_file_or_a_link_in_the_bundles_place_is_left_alone(tiny: Project) -> None:
    tiny.dist_folder.mkdir()
    place = tiny.dist_folder / "rpi4"
    for put in (place.touch, lambda: place.symlink_to("nowhere")):
        put()
        with pytest.raises(StorageError, match="something else than a bundle"):
            check_place(tiny, find_target("rpi4"))
        place.unlink()
