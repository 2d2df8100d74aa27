from pathlib import Path

import pytest

from edgekit.errors import FetchError
from edgekit.fetching.source import Source, usual_source
from tests.indices import sha256


def test_a_folder_is_checked_before_it_is_used(tmp_path: Path) -> None:
    given, to = tmp_path / "given", tmp_path / "to"
    given.mkdir()
    to.mkdir()
    (given / "a.whl").write_text("a")
    source, files = Source(given), {"a.whl": sha256(given / "a.whl")}
    source.copy(files, to)
    source.check(to, files)
    with pytest.raises(FetchError, match=r"given lacks b\.whl") as failed:
        source.copy({**files, "b.whl": "0"}, to)
    assert failed.value.hint.endswith(f"edgekit setup ID --download {given}")
    (given / "a.whl").write_text("b")
    with pytest.raises(FetchError, match=r"given serves another a\.whl than the lock pins"):
        source.copy(files, to)
    assert (to / "a.whl").read_text() == "a"


def test_what_is_not_pinned_is_fetched_where_the_user_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in (("", False), ("0", False), ("1", True)):
        monkeypatch.setenv("EDGEKIT_UNPINNED", value)
        assert usual_source() == Source(unpinned=expected)
    assert str(Source()) == "the index" and "--download FOLDER" in Source().hint
