"""Locks on files that the kernel holds: they end with their process, however it ends."""

import errno
import fcntl
import os
import resource
import weakref
from pathlib import Path

_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
"""Errors of a file system that has no locks."""


class Hold:
    """A lock on a file, until it is released or no longer referenced."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._close = weakref.finalize(self, os.close, descriptor)

    def release(self) -> None:
        self._close()


def share(path: Path) -> Hold | None:
    """A lock on a file that others may share; None if the file is absent, or locked by who removes it."""
    return _lock(path, os.O_RDONLY, fcntl.LOCK_SH, needed=False)


def own(path: Path) -> Hold | None:
    """A lock on a new file, for who made it; None if another process has removed the file, or is about to."""
    return _lock(path, os.O_RDWR, fcntl.LOCK_EX, needed=False)


def seize(path: Path) -> Hold | None:
    """A lock on a file, for who removes it; None if the file is absent, another user's or locked, or if its file system
    has no locks."""
    return _lock(path, os.O_RDWR, fcntl.LOCK_EX, needed=True)


def _lock(path: Path, mode: int, kind: int, *, needed: bool) -> Hold | None:
    """A lock without waiting. Unless it is `needed`, a file on a file system without locks is held without one."""
    try:
        hold = Hold(os.open(path, mode | os.O_NOFOLLOW))
    except OSError:
        return None
    _allow_more_files(hold.descriptor)
    try:
        fcntl.flock(hold.descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _WITHOUT_LOCKS and not needed:
            return hold
        hold.release()
        return None
    if not _is_at(hold.descriptor, path):  # it was removed before it was locked
        hold.release()
        return None
    return hold


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _allow_more_files(descriptor: int) -> None:
    """Raise the process's limit of open files where locks use half of it: a large study holds thousands of entries."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and descriptor > soft // 2 and soft != hard:
        wanted = 2 * soft if hard == resource.RLIM_INFINITY else min(2 * soft, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
