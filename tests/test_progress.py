from inspect import getmembers, isfunction, signature

from edgekit.cli.progress import watcher
from edgekit.progress import Progress, Silent

METHODS = {name: signature(function) for name, function in getmembers(Progress, isfunction) if not name.startswith("_")}


def test_every_watcher_has_the_methods_of_progress() -> None:
    assert METHODS.keys() == {"step_started", "step_finished", "advanced", "note"}
    for kind in (Silent, type(watcher(quiet=False)), type(watcher(quiet=True))):
        for name, expected in METHODS.items():
            assert signature(getattr(kind, name)).parameters.keys() == expected.parameters.keys(), (kind, name)
