from pathlib import Path

import pytest

from edgekit.errors import FetchError
from edgekit.fetching.lock import Wheels
from edgekit.fetching.pip import download_wheels, install_files, resolve_wheels
from edgekit.target import Runtime
from tests.indices import sha256, use_index, write_wheel

WHEELS = Wheels(Runtime(name="tflite-runtime", version="9.9"), "armv7l", "311")


def test_the_users_index_is_used_and_no_other_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration also says --user, which pip rejects beside --target."""
    wheel = write_wheel(tmp_path / "index", "tflite-runtime", "9.9")
    use_index(tmp_path / "index", monkeypatch)
    files, to = {wheel.name: sha256(wheel)}, tmp_path / "to"
    to.mkdir()
    download_wheels(WHEELS, files, to, "do so")
    assert [each.name for each in to.iterdir()] == [wheel.name]
    install_files(WHEELS, files, to, tmp_path / "site", "do so")
    assert (tmp_path / "site" / "tflite_runtime.py").read_text() == "X = 1\n"
    assert not list((tmp_path / "site").rglob("*.pyc"))


def test_an_index_that_serves_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = write_wheel(tmp_path / "index", "tflite-runtime", "9.9")
    files = {wheel.name: sha256(wheel)}
    write_wheel(tmp_path / "index", "tflite-runtime", "9.9", "import os; os.system('true')\n")
    use_index(tmp_path / "index", monkeypatch)
    with pytest.raises(FetchError, match=r"the index serves other files for tflite-runtime 9.9 for armv7l") as failed:
        download_wheels(WHEELS, files, tmp_path, "do so")
    assert failed.value.hint == "do not use it; find out who changed them"


def test_a_version_that_there_is_none_of_is_an_error_with_the_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(tmp_path / "index", "tflite-runtime", "9.8")
    use_index(tmp_path / "index", monkeypatch)
    files = {"tflite_runtime-9.9-py3-none-any.whl": "0" * 64}
    for function in (
        lambda: resolve_wheels(WHEELS, tmp_path / "to", "do so"),
        lambda: download_wheels(WHEELS, files, tmp_path, "do so"),
    ):
        with pytest.raises(FetchError, match=r"pip failed: .*9\.9") as failed:
            function()
        assert failed.value.hint == "do so"
