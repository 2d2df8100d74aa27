from pathlib import Path

import pytest

from edgekit.errors import PlanError
from edgekit.planning.recipe import Recipe, find_recipe
from edgekit.planning.runtime_fit import fit_to_runtime
from edgekit.target import Runtime
from edgekit.target_files import find_target


def names(recipe: Recipe) -> list[str]:
    return [each.step.name() for each in recipe.steps]


def test_for_a_runtime_that_takes_tflite_its_writer_comes_last() -> None:
    board = find_target("rpi-armv7l")
    assert names(fit_to_runtime(find_recipe("int8", Path()), board)) == ["simplify", "quantize", "tflite"]
    assert names(fit_to_runtime(find_recipe("int8-dynamic", Path()), board)) == ["simplify", "tflite-dynamic"]
    assert names(fit_to_runtime(find_recipe("float", Path()), board)) == ["simplify", "tflite"]
    whole = find_recipe("distil-prune-int8", Path())
    assert names(fit_to_runtime(whole, board)) == [*names(whole)[:-2], "tflite"]
    assert fit_to_runtime(whole, find_target("rpi4")) is whole


def test_a_recipe_that_writes_tflite_itself_keeps_its_options(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        '[[steps]]\nuse = "simplify"\n[[steps]]\nuse = "quantize"\n[[steps]]\nuse = "tflite"\nports = "int8"\n'
    )
    mine = find_recipe("mine.toml", tmp_path)
    assert fit_to_runtime(mine, find_target("rpi-armv7l")).steps[-1].step.options() == {"ports": "int8"}
    with pytest.raises(PlanError, match="'mine' writes a TFLite file, but rpi4 runs onnxruntime"):
        fit_to_runtime(mine, find_target("rpi4"))


def test_a_runtime_without_onnx_runtime_s_kernels_gets_neither_fusion_nor_its_float_fallback() -> None:
    target = find_target("x86-vnni").on(Runtime(name="openvino", version="2026.4.1"))
    assert names(fit_to_runtime(find_recipe("int8", Path()), target)) == ["simplify", "quantize"]
    assert names(fit_to_runtime(find_recipe("as-given", Path()), target)) == ["keep"]


def test_without_a_target_a_recipe_stays_as_it_is() -> None:
    recipe = find_recipe("int8", Path())
    assert fit_to_runtime(recipe, None) is recipe
