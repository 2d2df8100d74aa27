import shutil
from pathlib import Path

import pytest

from edgekit.errors import FetchError
from edgekit.fetching import lock
from edgekit.fetching.lock import Lock, lock_of
from edgekit.fetching.packages import (
    Packages,
    can_fetch_packages,
    download_packages,
    emulator_packages,
    guest_packages,
    pinned_packages,
    unpack_packages,
)
from edgekit.fetching.source import Source
from tests.indices import sha256, use_mirror, write_package

PACKAGES = Packages("own", "arm64", ("top",))
pytestmark = pytest.mark.skipif(not can_fetch_packages(Source()), reason="needs apt and dpkg")


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror with two packages, which the lock pins."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    debs = [write_package(folder, "top", "1:2.0", needs="below"), write_package(folder, "below", "1.0")]
    use_mirror(folder, monkeypatch)
    pins = {deb.name: sha256(deb) for deb in debs}
    monkeypatch.setattr(lock, "shipped_lock", lambda: Lock({}, {PACKAGES.name: pins}))
    return folder


def fetched(tmp_path: Path, source: Source) -> list[str]:
    to = tmp_path / "to"
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir()
    files = download_packages(tmp_path, PACKAGES, to, source)
    assert sorted(files) == sorted(each.name for each in to.iterdir())
    return sorted(files)


def test_pinned_packages_are_fetched_and_unpacked(mirror: Path, tmp_path: Path) -> None:
    assert fetched(tmp_path, Source()) == ["below_1.0_all.deb", "top_1%3a2.0_all.deb"]
    unpack_packages(pinned_packages(tmp_path, PACKAGES), tmp_path / "to", tmp_path / "root")
    assert {each.name for each in (tmp_path / "root" / "usr" / "share").iterdir()} == {"top", "below"}
    assert fetched(tmp_path, Source(mirror)) == ["below_1.0_all.deb", "top_1%3a2.0_all.deb"]


def test_a_mirror_that_serves_something_else_is_refused(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(mirror, "below", "1.0", "another text\n")
    use_mirror(mirror, monkeypatch)
    with pytest.raises(FetchError, match=r"the index serves another below_1\.0_all\.deb than the lock pins"):
        fetched(tmp_path, Source())
    served = sha256(mirror / "below_1.0_all.deb")
    (mirror / "Packages").write_text((mirror / "Packages").read_text().replace(served, "0" * 64))
    with pytest.raises(FetchError, match="apt-get"):
        fetched(tmp_path, Source())


def test_a_mirror_with_newer_packages(mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    next(mirror.glob("below_*.deb")).unlink()
    write_package(mirror, "below", "1.1")
    use_mirror(mirror, monkeypatch)
    with pytest.raises(FetchError, match="the Debian mirror does not have the packages that edgekit pins") as failed:
        fetched(tmp_path, Source())
    assert "--unpinned" in failed.value.hint
    assert fetched(tmp_path, Source(unpinned=True)) == ["below_1.1_all.deb", "top_1%3a2.0_all.deb"]
    assert "below_1.1_all.deb" in lock_of(tmp_path).packages[PACKAGES.name]
    assert fetched(tmp_path, Source()) == ["below_1.1_all.deb", "top_1%3a2.0_all.deb"]


def test_without_a_mirror_the_network_is_named(mirror: Path, tmp_path: Path) -> None:
    (mirror / "Packages").unlink()
    with pytest.raises(FetchError, match="apt-get update failed") as failed:
        fetched(tmp_path, Source())
    assert "--from FOLDER" in failed.value.hint


@pytest.mark.usefixtures("mirror")
def test_packages_that_are_not_pinned(tmp_path: Path) -> None:
    for source in (Source(), Source(tmp_path), Source(tmp_path, unpinned=True)):
        with pytest.raises(FetchError, match="other-arm64: edgekit pins no such packages"):
            download_packages(tmp_path, Packages("other", "arm64", ("below",)), tmp_path, source)


def test_what_an_emulator_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "python3-numpy" in guest_packages("armv7l").names and "python3-numpy" not in guest_packages("aarch64").names
    assert emulator_packages("aarch64").name == "qemu-user-arm64"
    assert emulator_packages("riscv64").name == "qemu-user-riscv64"
    monkeypatch.setenv("PATH", "")
    assert not can_fetch_packages(Source())
