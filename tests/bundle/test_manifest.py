import json

from edgekit.builds.result import Build
from edgekit.bundle.manifest import safe_file_name, tool_versions
from edgekit.files import sha256_of_file


def test_the_manifest_tells_what_the_model_is_and_where_it_came_from(built: Build) -> None:
    for each in built.targets:
        told = json.loads((each.bundle / "manifest.json").read_text())
        assert told["schema"] == 1 and told["seed"] == 0 and told["project"] == "tiny"
        assert told["target"]["id"] == each.target.id
        assert told["preprocessing"] == {"layout": "NCHW"}
        (image,) = told["model"]["inputs"]
        assert (image["name"], image["dtype"], image["shape"]) == ("image", "float32", ["batch", 1, 8, 8])
        assert image["integer_type"] == each.steps[6].artifact.notes["activations"][0] and image["scale"] > 0
        assert [step["step"] for step in told["lineage"]] == [run.name for run in each.steps]
        assert told["lineage"][1]["options"]["temperature"] == 4.0
        assert told["lineage"][1]["parents"][1] == told["lineage"][0]["digest"], "distilled from the teacher"
        assert told["gates"] == [gate.to_json() for gate in each.verdict.gates]
        assert all(one["fidelity"] for one in told["measurements"])
        assert told["tools"]["onnxruntime"].startswith("1.32")


def test_every_file_of_the_bundle_has_its_digest(built: Build) -> None:
    for each in built.targets:
        told = json.loads((each.bundle / "manifest.json").read_text())["files"]
        there = {path.name for path in each.bundle.iterdir()} - {"manifest.json"}
        assert set(told) == there >= {"model.onnx", "model.c", "model.h"}
        assert all(sha256_of_file(each.bundle / name) == digest for name, digest in told.items())


def test_tools_and_file_names() -> None:
    assert {"python", "torch", "onnx", "onnxruntime"} <= set(tool_versions())
    assert safe_file_name("input/ids:0") == "input_ids_0"
