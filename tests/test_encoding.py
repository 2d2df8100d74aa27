"""Every writer, given names of which each could do harm in one of the media."""

import csv
import io
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgekit import api
from edgekit.benchmarking.bench import Bench
from edgekit.builds.result import Build
from edgekit.bundle.c_arrays import PortSource, c_sources
from edgekit.call_options import BenchOptions
from edgekit.encoding import c_comment, c_identifier, c_string, csv_cell, one_line, printable
from edgekit.model.inspection import inspect_model
from edgekit.model.ports import Port
from edgekit.planning.recipe import recipe_from, recipe_toml
from edgekit.report.benches import bench_csv, bench_json, bench_junit, bench_report
from edgekit.report.builds import build_json, build_report
from edgekit.report.inspections import inspection_json, inspection_report
from edgekit.report.notebooks import html_report
from edgekit.report.plans import plan_json, plan_report, proposal_toml
from edgekit.report.sarif import sarif_log
from edgekit.report.targets import target_json, target_report, targets_report
from edgekit.report.terminal import ReportConsole
from edgekit.target_files import target_toml

HARM = "x\x1b[31m\"*/ '${PATH}\n#{}<script>&=1,\\\u202e;`id`[bold]%n"
FORMULA = f"={HARM}"


def test_control_characters_do_not_reach_a_terminal() -> None:
    assert printable("a\x1b[2J\x07\r\u202eb\udcff\n\tc") == "a\ufffd[2J\ufffd\ufffd\ufffdb\ufffd\n\tc"
    assert printable("Größe 5 µs, 図\u00a0x") == "Größe 5 µs, 図\u00a0x"
    assert one_line("  a\nb\x00 \n") == "  a b\ufffd"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd", "@a", "\t=1", " =1", "\x1b=1", "plain", "a,b"])
def test_a_cell_is_no_formula(text: str) -> None:
    cell = str(csv_cell(text))
    assert cell.startswith("'") == (not text.startswith(("plain", "a", "\x1b")))
    assert csv_cell(-1.5) == -1.5 and csv_cell(None) is None


@given(st.text())
def test_a_comment_does_not_end_and_an_identifier_is_one(text: str) -> None:
    assert not {"*/", "/*", "\\", "\n", "?"} & {*c_comment(text), *(c_comment(text)[at : at + 2] for at in range(9))}
    assert c_identifier(text).isidentifier() and c_identifier(text).isascii()


@given(st.text(st.characters(codec="utf-8")))
def test_a_string_literal_is_its_bytes(text: str) -> None:
    assert c_string(text).isascii() and c_string(text)[1:-1].encode().decode("unicode_escape").encode("latin-1") == (
        text.encode()
    )


def harmful_model(path: Path) -> None:
    """Conv and a matrix product whose every name is HARM."""
    random = np.random.default_rng(0)
    kernel = numpy_helper.from_array(random.standard_normal((4, 3, 3, 3)).astype(np.float32), f"kernel{HARM}")
    matrix = numpy_helper.from_array(random.standard_normal((4, 5)).astype(np.float32), f"matrix{HARM}")
    nodes = [
        helper.make_node("Conv", [HARM, kernel.name], [f"c{HARM}"], name=f"conv{HARM}", pads=[1] * 4),
        helper.make_node("GlobalAveragePool", [f"c{HARM}"], [f"p{HARM}"], name=f"pool{HARM}"),
        helper.make_node("Flatten", [f"p{HARM}"], [f"f{HARM}"], name=f"flatten{HARM}"),
        helper.make_node("MatMul", [f"f{HARM}", matrix.name], [FORMULA], name=f"product{HARM}"),
    ]
    x = helper.make_tensor_value_info(HARM, TensorProto.FLOAT, [f"N{HARM}", 3, 8, 8])
    y = helper.make_tensor_value_info(FORMULA, TensorProto.FLOAT, [f"N{HARM}", 5])
    graph = helper.make_graph(nodes, f"graph{HARM}", [x], [y], [kernel, matrix])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A harmful model, samples, and a target with a harmful name."""
    folder = tmp_path_factory.mktemp("harm")
    harmful_model(folder / "=m\x1b[31m\"'$`\n.onnx")
    np.save(folder / "samples.npy", np.random.default_rng(0).random((20, 3, 8, 8), np.float32))
    (folder / "targets").mkdir()
    values = {"name": f"=Board {HARM}", "base": "x86-avx2"}
    (folder / "targets" / "mine.toml").write_text(tomlkit.dumps(values))
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    return next(folder.glob("*.onnx"))


@pytest.fixture(scope="module")
def harmful_build(folder: Path, model: Path) -> Build:
    return api.build(model, folder / "samples.npy", targets="mine", folder=folder)


@pytest.fixture(scope="module")
def harmful_bench(model: Path) -> Bench:
    return api.bench(model, options=BenchOptions(seconds=0.01))


def terminal(*parts: object) -> str:
    console = ReportConsole(width=80, force_terminal=False)
    with console.capture() as shown:
        for part in parts:
            console.print(part)
    return shown.get()


def check_terminal(text: str) -> None:
    assert text == printable(text) and "[31m" in text, "the harmless part of the name is shown"


def check_json(text: str) -> None:
    assert text.isascii() and "\x1b" not in text
    json.loads(text)


def check_csv(text: str) -> None:
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) > 1 and len({len(row) for row in rows}) == 1
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(("=", "+", "@", "\t")) and printable(cell) == cell


def check_xml(text: str) -> None:
    assert "[31m" in ElementTree.fromstring(text)[0].attrib["name"]


def check_html(text: str) -> None:
    tags: set[str] = set()

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            tags.add(tag)

    Tags().feed(text)
    assert "script" not in tags and printable(text) == text and "31m" in text


def check_toml(text: str) -> None:
    assert tomllib.loads(text)["name"] == f"=Board {HARM}"


def test_every_report_of_a_harmful_model_is_harmless(
    folder: Path, model: Path, harmful_build: Build, harmful_bench: Bench
) -> None:
    target = harmful_build.targets[0].target
    (project := folder / "project").mkdir()
    recipe = f"{HARM.replace('/', '')}.toml"
    (project / recipe).write_text('[[steps]]\nuse = "simplify"\n[[steps]]\nuse = "simplify"\n')
    values = {"name": "m", "model": {"onnx": str(model)}, "data": {"calibration": "s"}, "recipe": recipe}
    (project / "edgekit.toml").write_text(tomlkit.dumps(values))
    checked = api.plan(project, targets="rpi4")
    found = inspect_model(model)
    written: list[tuple[Callable[[str], None], str]] = [
        (check_terminal, terminal(*inspection_report(model, found))),
        (check_terminal, terminal(*build_report(harmful_build))),
        (check_terminal, terminal(*bench_report(harmful_bench))),
        (check_terminal, terminal(target_report(target), targets_report([target]))),
        (check_terminal, terminal(*plan_report(checked))),
        (check_json, plan_json(checked)),
        (check_json, sarif_log(checked)),
        (lambda text: check_terminal(f"{text}[31m"), proposal_toml(checked)),
        (check_json, inspection_json(model, found)),
        (check_json, build_json(harmful_build)),
        (check_json, bench_json([harmful_bench])),
        (check_json, target_json(target)),
        (check_json, (harmful_build.targets[0].bundle / "manifest.json").read_text()),
        (check_csv, bench_csv([harmful_bench])),
        (check_xml, bench_junit([harmful_bench])),
        (check_html, html_report(harmful_build)),
        (check_html, html_report(harmful_bench)),
        (check_toml, target_toml(target, f"from {HARM}")),
    ]
    for check, text in written:
        check(text)


def test_a_harmful_bundle_is_c_with_the_same_names(harmful_build: Build, tmp_path: Path) -> None:
    bundle = harmful_build.targets[0].bundle
    header = (bundle / "model.h").read_text()
    assert header.isascii() and header.splitlines()[0].endswith("Do not edit; build it again. */")
    assert all(each.name.isascii() and each.name.isprintable() for each in bundle.iterdir())
    if not shutil.which("gcc"):
        pytest.skip("no gcc here")
    prefix = c_identifier(harmful_build.project.name)
    main = f"int main(void) {{ fputs({prefix}_input_0_name, stdout); return 0; }}"
    main = f'#include <stdio.h>\n#include "model.h"\n{main}\n'
    (tmp_path / "main.c").write_text(main)
    sources = [tmp_path / "main.c", bundle / "model.c"]
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I", bundle]
    subprocess.run(["gcc", *flags, *sources, "-o", tmp_path / "program"], check=True)
    assert subprocess.run([tmp_path / "program"], capture_output=True, check=True).stdout == HARM.encode()


def test_a_targets_name_does_not_end_a_comment(model: Path) -> None:
    for text in c_sources(model, "m", "Pi */ static int evil = 1; /*", [PortSource(Port("*/", "float32", ()))], []):
        comments = re.sub(r'"[^"\n]*"', "", text)
        assert "*/ static" not in text and comments.count("/*") == comments.count("*/")


def test_comments_of_a_recipe_stay_comments() -> None:
    text = recipe_toml(recipe_from("r", [{"use": "export"}], "r"), [f"a\n[[steps]]\nuse = 'b'{HARM}"])
    assert len(tomllib.loads(text)["steps"]) == 1 and printable(text) == text


def test_names_in_errors_stay_on_their_line(run_edgekit: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = run_edgekit("inspect", f"absent\x1b[31m\nhint: do harm{'x' * 9}.onnx")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 2 and "\x1b" not in done.stderr
