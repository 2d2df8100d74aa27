"""Write lock.json: what a maintainer runs, on Debian 12, when a runtime or a package has a new version.

    python -m edgekit.fetching.relock [IMAGE=sha256:DIGEST ...]

Wheels come from the public index, packages from the signed indices of the machine's sources. The digest of a base image
is given by hand, from the image's page or `docker buildx imagetools inspect IMAGE`; digests of the former lock stay.
"""

import sys

from edgekit.architectures import ARCHITECTURES
from edgekit.fetching.lock import PYTHONS, SHIPPED, Lock, Wheels, digests_in, shipped_lock, write_lock
from edgekit.fetching.packages import Packages, emulator_packages, guest_packages, image_packages, resolve_packages
from edgekit.fetching.pip import resolve_wheels
from edgekit.scratch import temporary_folder
from edgekit.target_files import load_targets

_HINT = "check the network"


def relock(packages: list[Packages], images: dict[str, str]) -> Lock:
    """The lock of every runtime of the shipped targets for every version of Python that has wheels of it, and of
    packages. Raises FetchError if one of them cannot be had."""
    runtimes = {
        (runtime.name, runtime.version, target.arch): runtime
        for target in load_targets()[0]
        for runtime in (target.runtime, *target.runtimes)
    }
    wheels: dict[str, dict[str, str]] = {}
    for (_, _, arch), runtime in sorted(runtimes.items()):
        for python in PYTHONS:
            newest = runtime.spec.newest_python
            if newest is None or (int(python[0]), int(python[1:])) <= newest:
                wanted = Wheels(runtime, arch, python)
                wheels[wanted.name] = _digests_of(wanted)
    found: dict[str, dict[str, str]] = {}
    for each in packages:
        with temporary_folder() as folder:
            resolve_packages(each, folder, _HINT)
            found[each.name] = digests_in(folder, "deb")
    return Lock(wheels, found, {**shipped_lock().images, **images})


def _digests_of(wheels: Wheels) -> dict[str, str]:
    with temporary_folder() as folder:
        resolve_wheels(wheels, folder, _HINT, configured=False)
        return digests_in(folder, "whl")


def main(arguments: list[str]) -> None:
    images = dict(each.split("=", 1) for each in arguments)
    packages = [guest_packages(arch) for arch in ARCHITECTURES]
    for arch in (name for name, each in ARCHITECTURES.items() if each.bits == 64):
        packages += [emulator_packages(arch), *image_packages(arch)]
    write_lock(relock(packages, images), SHIPPED)


if __name__ == "__main__":
    main(sys.argv[1:])
