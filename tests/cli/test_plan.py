import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
FAILED = "failed-int4-first"


def test_an_error_is_exit_code_one_and_a_sound_recipe_zero(run_edgekit: Run, tmp_path: Path) -> None:
    done = run_edgekit("plan", "--recipe", FAILED, cwd=tmp_path)
    assert done.returncode == 1 and "Primary flaw: step 2 quantize-weights teacher" in done.stdout
    for arguments in ((), ("--recipe", "distil-prune-int8", "--target", "rpi4")):
        done = run_edgekit("plan", *arguments, cwd=tmp_path)
        assert done.returncode == 0 and "error" not in done.stdout and "warning" not in done.stdout, done.stdout


def test_a_project_is_judged_by_what_is_known_of_it(run_edgekit: Run, make_project: Callable[..., Path]) -> None:
    folder = make_project()
    before = run_edgekit("plan", cwd=folder)
    assert before.returncode == 0 and "--inspect examines the model" in before.stdout
    looked = run_edgekit("plan", "--inspect", "-C", folder)
    assert looked.returncode == 0 and "inspecting the student" in looked.stderr
    assert "Not known" not in run_edgekit("plan", cwd=folder).stdout


def test_the_better_recipe_and_the_machine_forms_stand_alone(run_edgekit: Run, tmp_path: Path) -> None:
    fixed = run_edgekit("plan", "--recipe", FAILED, "--target", "rpi4", "--fix", cwd=tmp_path)
    assert fixed.returncode == 0 and fixed.stderr == ""
    (tmp_path / "better.toml").write_text(fixed.stdout)
    assert run_edgekit("plan", "--recipe", "better.toml", "-t", "rpi4", cwd=tmp_path).returncode == 0
    result = run_edgekit("plan", "--recipe", FAILED, "--json", cwd=tmp_path)
    assert result.returncode == 1 and json.loads(result.stdout)["primary"]["code"] == "EK101"
    sarif = run_edgekit("plan", "--recipe", FAILED, "--sarif", cwd=tmp_path)
    assert sarif.returncode == 1 and json.loads(sarif.stdout)["version"] == "2.1.0"


def test_nothing_heavy_is_loaded_to_plan(make_project: Callable[..., Path]) -> None:
    heavy = "torch onnx onnxruntime onnx_ir numpy scipy pydantic tomlkit filelock subprocess rich.progress"
    script = (
        "import sys; from edgekit.cli.main import edgekit; edgekit.main(['plan'], standalone_mode=False); "
        f"sys.exit(' '.join(each for each in '{heavy}'.split() if each in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=make_project(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr


@pytest.mark.slow
def test_the_failed_recipe_builds_where_it_is_allowed_and_mended_without(
    run_edgekit: Run, make_project: Callable[..., Path]
) -> None:
    folder = make_project()
    text = (folder / "edgekit.toml").read_text()
    short = "\n".join(f"[options.{name}]\nepochs = 2" for name in ("train", "distill"))
    failed = text[: text.index("[[steps]]")].replace("seed = 0", f'seed = 0\nrecipe = "{FAILED}"') + short
    (folder / "edgekit.toml").write_text(failed)
    refused = run_edgekit("build", "-q", cwd=folder)
    assert refused.returncode == 2 and "edgekit plan" in refused.stderr and "--allow EK101" in refused.stderr
    errors = [each for each in ("EK101", "EK107", "EK203", "EK304") if each in refused.stderr]
    allowed = [word for code in errors for word in ("--allow", code)]
    built = run_edgekit("build", "-q", *allowed, cwd=folder)
    assert built.returncode == 0 and "error EK101" in built.stdout, built.stderr
    manifest = json.loads((folder / "dist" / "rpi4" / "manifest.json").read_text())
    assert {each["code"] for each in manifest["findings"] if each["severity"] == "error"} == set(errors)

    (folder / "better.toml").write_text(run_edgekit("plan", "--fix", cwd=folder).stdout)
    mended = failed.replace(FAILED, "better.toml") + "\n[options.prune]\nepochs = 2\n"
    (folder / "edgekit.toml").write_text(mended)
    built = run_edgekit("build", "-q", cwd=folder)
    assert built.returncode == 0, built.stderr
    assert json.loads((folder / "dist" / "rpi4" / "manifest.json").read_text())["findings"] == []
