"""Use the process of a caller without leaving changes: its loggers, warnings, environment, generators and streams."""

import logging
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TextIO, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

_TELEMETRY = ("ORT_DISABLE_TELEMETRY", "1")
"""ONNX Runtime ships with telemetry. A tool for other people's models disables it."""
_LOCK = threading.RLock()
"""Process-wide state can be restored only if one call at a time changes it."""


def leaves_process_unchanged(function: Callable[P, R]) -> Callable[P, R]:
    """A function after which the process is as before the call, also after an exception: loggers, warning filters,
    environment, working directory, import path, modules that a project's module of the same name replaced, the states
    of the random generators of Python, numpy and torch, torch's thread count and deterministic flags, numpy's error
    handling, stdout and stderr. Calls from several threads run one after another."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        with preserved_process():
            return function(*args, **kwargs)

    return guarded


@contextmanager
def preserved_process() -> Iterator[None]:
    """The context in which a function of `leaves_process_unchanged` runs."""
    with _LOCK, ExitStack() as restored:
        for remember in (_loggers, _environment, _folder, _imports, _python_random, _numpy, _torch, _streams):
            restored.callback(remember())
        restored.enter_context(warnings.catch_warnings())
        os.environ.setdefault(*_TELEMETRY)
        yield


@contextmanager
def quiet_loggers(*names: str, level: int = logging.ERROR) -> Iterator[None]:
    """Ignore records of these loggers below `level`."""
    loggers = [logging.getLogger(name) for name in names]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(level)
    try:
        yield
    finally:
        for each, own in zip(loggers, before, strict=True):
            each.setLevel(own)


@contextmanager
def quiet_root_logger(package: str) -> Iterator[None]:
    """Ignore what a package logs on the root logger. Other records on it, also of other threads, pass."""
    root = logging.getLogger()
    handlers = list(root.handlers)

    def is_other(record: logging.LogRecord) -> bool:
        return package not in Path(record.pathname).parts

    root.addFilter(is_other)
    try:
        yield
    finally:
        root.removeFilter(is_other)
        # A call such as logging.warning adds a handler if there is none.
        if not handlers:
            root.handlers.clear()


@contextmanager
def stdout_as_stderr() -> Iterator[None]:
    """Write to stderr what this thread prints; what other threads print still goes to stdout."""
    before = sys.stdout
    own = cast(TextIO, _ByThread(before, threading.get_ident()))
    sys.stdout = own
    try:
        yield
    finally:
        if sys.stdout is own:
            sys.stdout = before


class _ByThread:
    """A stream for sys.stdout that is stderr for one thread and the former stdout for all others."""

    def __init__(self, before: TextIO, thread: int) -> None:
        self._before = before
        self._thread = thread

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr if threading.get_ident() == self._thread else self._before, name)


def _loggers() -> Callable[[], None]:
    root = logging.getLogger()
    disabled = root.manager.disable
    known = [each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    before = [
        (each, each.level, each.propagate, each.disabled, list(each.handlers), list(each.filters))
        for each in (root, *known)
    ]

    def restore() -> None:
        root.manager.disable = disabled
        for each, level, propagate, is_disabled, handlers, filters in before:
            if each.level != level:
                each.setLevel(level)
            each.propagate, each.disabled = propagate, is_disabled
            each.handlers[:], each.filters[:] = handlers, filters

    return restore


def _environment() -> Callable[[], None]:
    before = dict(os.environ)

    def restore() -> None:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        for name, value in before.items():
            if os.environ.get(name) != value:
                os.environ[name] = value

    return restore


def _folder() -> Callable[[], None]:
    try:
        before = Path.cwd()
    except FileNotFoundError:  # it was removed: nothing to return to
        return lambda: None

    def restore() -> None:
        if before.is_dir():
            os.chdir(before)

    return restore


def _imports() -> Callable[[], None]:
    path, modules = list(sys.path), dict(sys.modules)

    def restore() -> None:
        sys.path[:] = path
        for name, module in modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module

    return restore


def _python_random() -> Callable[[], None]:
    before = random.getstate()
    return lambda: random.setstate(before)


def _numpy() -> Callable[[], None]:
    numpy = sys.modules.get("numpy")
    before = (numpy.random.get_state(), numpy.geterr()) if numpy else None

    def restore() -> None:
        loaded = sys.modules.get("numpy")
        if loaded and before:
            loaded.random.set_state(before[0])
            loaded.seterr(**before[1])
        elif loaded:  # the call imported it: a caller must not find it seeded
            loaded.random.seed(None)

    return restore


def _torch() -> Callable[[], None]:
    torch = sys.modules.get("torch")
    before = _torch_state(torch) if torch else None

    def restore() -> None:
        loaded = sys.modules.get("torch")
        if loaded and before:
            generator, threads, deterministic, warns_only, devices = before
            loaded.set_rng_state(generator)
            if loaded.get_num_threads() != threads:
                loaded.set_num_threads(threads)
            now = loaded.are_deterministic_algorithms_enabled(), loaded.is_deterministic_algorithms_warn_only_enabled()
            if now != (deterministic, warns_only):
                loaded.use_deterministic_algorithms(deterministic, warn_only=warns_only)
            if devices is not None:
                loaded.cuda.set_rng_state_all(devices)
        elif loaded:
            loaded.seed()

    return restore


def _torch_state(torch: Any) -> tuple[Any, int, bool, bool, Any]:
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    return (
        torch.get_rng_state(),
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        devices,
    )


def _streams() -> Callable[[], None]:
    before = sys.stdout, sys.stderr

    def restore() -> None:
        sys.stdout, sys.stderr = before

    return restore
