"""A runtime's wheels for another machine, unpacked by pip into a folder that is used as PYTHONPATH."""

import shutil
from pathlib import Path

from filelock import FileLock

from edgekit.errors import FetchError, storage_errors
from edgekit.fetching.kept import forget, is_sound, seal_folder
from edgekit.fetching.lock import Files, Wheels, digests_in, folder_name, lock_of, record_digests
from edgekit.fetching.pip import download_wheels, install_files, resolve_wheels
from edgekit.fetching.source import Source
from edgekit.progress import Progress
from edgekit.scratch import temporary_folder


def kept_wheels(folder: Path, wheels: Wheels) -> Path | None:
    """The folder of a set of wheels in `folder`; None if they are not pinned, were not fetched, or were changed."""
    files = lock_of(folder).wheels.get(wheels.name)
    kept = folder / folder_name(wheels.name, files) if files else None
    return kept if kept and is_sound(kept) else None


def fetch_wheels(folder: Path, wheels: Wheels, source: Source, hint: str, progress: Progress) -> Path:
    """The folder of a set of wheels in `folder`; fetched if it is not there, or was changed. Raises FetchError if
    that fails, with `hint` if they are not pinned; StorageError if there is no space."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "wheels.lock"):
            there = kept_wheels(folder, wheels)
            if there:
                return there
            progress.note(f"downloading {wheels} from {source} to {folder}")
            with temporary_folder(folder) as staging:
                files = install_wheels(folder, wheels, staging / "site", source, hint)
                kept = folder / folder_name(wheels.name, files)
                forget(kept)
                shutil.rmtree(kept, ignore_errors=True)
                (staging / "site").rename(kept)
            seal_folder(kept)
            shutil.rmtree(folder / wheels.name, ignore_errors=True)  # an older edgekit's, which was not pinned
            return kept


def install_wheels(folder: Path, wheels: Wheels, site: Path, source: Source, hint: str) -> Files:
    """Install a set of wheels into `site`, and return the digests of its files. `folder` holds the user's own lock.
    Raises FetchError as `download_wheel_files` does."""
    with temporary_folder() as downloaded:
        files = download_wheel_files(folder, wheels, downloaded, source, hint)
        install_files(wheels, files, downloaded, site, "run it again")
        return files


def download_wheel_files(folder: Path, wheels: Wheels, downloaded: Path, source: Source, hint: str) -> Files:
    """Download a set of wheels to `downloaded`, check them, and return their digests. `folder` holds the user's own
    lock, to which what is not pinned is added if the source allows that. Raises FetchError if it fails: with `hint` if
    they are not pinned."""
    files: Files | None = lock_of(folder).wheels.get(wheels.name)
    if files is None and (source.folder or not source.unpinned):
        raise FetchError(f"edgekit pins no {wheels}", hint)
    if source.folder and files:
        source.copy(files, downloaded)
        return files
    if files is None:
        resolve_wheels(wheels, downloaded, source.hint)
        files = digests_in(downloaded, "whl")
        record_digests(folder, "wheels", wheels.name, files)
    else:
        download_wheels(wheels, files, downloaded, source.hint)
    source.check(downloaded, files)
    return files
