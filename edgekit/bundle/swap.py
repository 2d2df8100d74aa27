"""Replace a folder in one operation of the file system, so that there is a whole one at any time, also after a kill."""

import ctypes
import errno
import os
import secrets
import shutil
from pathlib import Path

_VERSIONS = ".edgekit-versions"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


def replace_folder(new: Path, final: Path) -> None:
    """Put the folder `new` in the place of `final`, which another folder may have. Both are in the same file system;
    the caller holds a lock on the parent of `final`.

    Folders are exchanged (renameat2, Linux 3.15). Where the file system does not do that, `final` is a link to a folder
    of its own for each version, and the link is replaced.
    """
    if final.is_symlink() or not _can_exchange(new.parent):
        _replace_link(new, final)
    elif final.exists():
        exchange(new, final)
    else:
        new.rename(final)
    _clear_versions(final.parent)


def exchange(one: Path, other: Path) -> None:
    """Exchange two folders or files atomically. Raises OSError with one of _UNSUPPORTED where that is impossible."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError) as error:  # not Linux, or a C library before glibc 2.28
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one), None, str(other))


def _can_exchange(folder: Path) -> bool:
    probes = [folder / f".probe-{secrets.token_hex(4)}" for _ in range(2)]
    try:
        for each in probes:
            each.mkdir()
        exchange(*probes)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        raise
    finally:
        for each in probes:
            each.rmdir()
    return True


def _replace_link(new: Path, final: Path) -> None:
    versions = final.parent / _VERSIONS
    versions.mkdir(exist_ok=True)
    own = versions / f"{final.name}-{secrets.token_hex(4)}"
    new.rename(own)
    link = versions / f"link-{secrets.token_hex(4)}"
    link.symlink_to(Path(_VERSIONS, own.name), target_is_directory=True)
    if final.exists() and not final.is_symlink():
        final.rename(versions / f"old-{secrets.token_hex(4)}")  # once: the folder was written on another file system
    link.replace(final)


def _clear_versions(parent: Path) -> None:
    """Remove the versions that no link points to, and links that a kill left."""
    versions = parent / _VERSIONS
    if not versions.is_dir():
        return
    used = {each.resolve() for each in parent.iterdir() if each.is_symlink()}
    for each in versions.iterdir():
        if each.is_symlink():
            each.unlink()
        elif each.resolve() not in used:
            shutil.rmtree(each, ignore_errors=True)
    if not any(versions.iterdir()):
        versions.rmdir()
