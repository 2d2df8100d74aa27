import json

from edgekit.builds.result import Build
from edgekit.bundle.manifest import safe_file_name, tool_versions
from edgekit.files import sha256_of_file


def test_the_manifest_tells_what_the_model_is_and_where_it_came_from(built: Build) -> None:
    for each in built.targets:
        data = json.loads((each.bundle / "manifest.json").read_text())
        assert data["schema"] == 1 and data["seed"] == 0 and data["project"] == "tiny"
        assert data["target"]["id"] == each.target.id
        assert data["preprocessing"] == {"layout": "NCHW"}
        (image,) = data["model"]["inputs"]
        assert (image["name"], image["dtype"], image["shape"]) == ("image", "float32", ["batch", 1, 8, 8])
        assert image["integer_type"] == each.steps[6].artifact.notes["activations"][0] and image["scale"] > 0
        assert [step["step"] for step in data["lineage"]] == [run.name for run in each.steps]
        assert data["lineage"][1]["options"]["temperature"] == 4.0
        assert data["lineage"][1]["parents"][1] == data["lineage"][0]["digest"], "distilled from the teacher"
        assert data["gates"] == [gate.to_json() for gate in each.verdict.gates]
        assert all(one["fidelity"] for one in data["measurements"])
        assert data["tools"]["onnxruntime"].startswith("1.32")


def test_every_file_of_the_bundle_has_its_digest(built: Build) -> None:
    for each in built.targets:
        value = json.loads((each.bundle / "manifest.json").read_text())["files"]
        there = {path.name for path in each.bundle.iterdir()} - {"manifest.json"}
        assert set(value) == there >= {"model.onnx", "model.c", "model.h"}
        assert all(sha256_of_file(each.bundle / name) == digest for name, digest in value.items())


def test_tools_and_file_names() -> None:
    assert {"python", "torch", "onnx", "onnxruntime"} <= set(tool_versions())
    assert safe_file_name("input/ids:0") == "input_ids_0"
