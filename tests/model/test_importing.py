from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.errors import ModelError
from edgekit.model.importing import file_digest, file_facts, import_model
from edgekit.model.reading import save_model
from edgekit.runtimes.ort import host_outputs
from edgekit.traits import FILE_ENTRY, Trait


def beside(model: Path, folder: Path) -> Path:
    """The same model with its weights in a file of their own."""
    path = folder / "split.onnx"
    onnx.save(
        onnx.load(model),
        path,
        save_as_external_data=True,
        location="split.data",
        size_threshold=0,
        convert_attribute=True,
    )
    return path


def test_weights_beside_a_file_are_taken_in(conv_model: Path, tmp_path: Path) -> None:
    split, whole = beside(conv_model, tmp_path), tmp_path / "elsewhere" / "whole.onnx"
    save_model(import_model(split), whole)
    x = np.ones((2, 3, 6, 6), np.float32)
    assert np.array_equal(host_outputs(whole, [x])[0], host_outputs(conv_model, [x])[0])


def test_the_digest_is_of_all_files(conv_model: Path, tmp_path: Path) -> None:
    split = beside(conv_model, tmp_path)
    before = file_digest(split)
    data = bytearray((tmp_path / "split.data").read_bytes())
    data[0] ^= 1
    (tmp_path / "split.data").write_bytes(data)
    assert file_digest(split) != before


def test_weights_that_are_missing_are_named(conv_model: Path, tmp_path: Path) -> None:
    split = beside(conv_model, tmp_path)
    (tmp_path / "split.data").unlink()
    for read in (file_digest, import_model):
        with pytest.raises(ModelError, match=r"split.onnx stores weights in split.data, which does not exist"):
            read(split)


def test_more_than_one_file_can_hold(conv_model: Path, tmp_path: Path) -> None:
    split = beside(conv_model, tmp_path)
    with (tmp_path / "split.data").open("r+b") as file:
        file.truncate(2**31)
    with pytest.raises(ModelError, match=r"split.onnx has 2.1 GB with its weights"):
        import_model(split)


def test_what_came_in_integers_is_known_by_it(saturating: Path, conv_model: Path, tmp_path: Path) -> None:
    assert Trait.INTEGER in file_facts(saturating) and Trait.FLOAT not in file_facts(saturating)
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(conv_model.read_bytes())
    assert file_facts(copy) == FILE_ENTRY
    copy.write_bytes(saturating.read_bytes())
    assert Trait.INTEGER in file_facts(copy), "another file by the same name"


def test_models_that_no_build_starts_from(conv_model: Path, tmp_path: Path) -> None:
    model = onnx.load(conv_model)
    model.graph.node.append(helper.make_node("FusedGemm", ["f", "weight"], ["z"], domain="com.microsoft"))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    onnx.save(model, tmp_path / "fused.onnx")
    with pytest.raises(ModelError, match=r"fused.onnx has operators that are not standard ONNX: com"):
        import_model(tmp_path / "fused.onnx")
