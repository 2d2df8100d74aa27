"""Bits of a cache that are flipped: no entry may be taken whose record or files changed."""

import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from levels import Level

from edgekit.cache import Cache

SAMPLED = 500
DIGITS = Path(__file__).parent.parent / "examples" / "digits"


def flipped_bits(random_: random.Random) -> list[Level]:
    """Flip one bit at a time in the entries of a digits build, chosen over all bytes alike, and in each byte of the
    records."""
    with tempfile.TemporaryDirectory() as place:
        project = Path(place, "digits")
        shutil.copytree(DIGITS, project, ignore=shutil.ignore_patterns(".edgekit", "dist", "__pycache__"))
        build = [sys.executable, "-m", "edgekit", "build", "-t", "rpi4", "-q"]
        subprocess.run(build, cwd=project, check=True, stdout=subprocess.DEVNULL)
        folder = project / ".edgekit" / "cache"
        cache = Cache(folder)
        files = [path for path in sorted((folder / "entries").rglob("*")) if path.is_file() and path.stat().st_size]
        sizes = [path.stat().st_size for path in files]
        chosen = random_.choices(files, sizes, k=SAMPLED)
        flips = [(path, random_.randrange(path.stat().st_size)) for path in chosen]
        flips += [(path, random_.randrange(path.stat().st_size)) for path in files]
        taken = []
        for path, at in flips:
            entry = path.relative_to(folder / "entries").parts[1]  # below the folder of its first digits
            key = entry.partition("-")[0]
            assert cache.get(key) is not None, key
            content = path.read_bytes()
            damaged = bytearray(content)
            damaged[at] ^= 1 << random_.randrange(8)
            path.write_bytes(damaged)
            if cache.get(key) is not None:
                taken.append(f"{path.name}, byte {at}")
            path.write_bytes(content)
        for each in taken:
            print(each)
    what = f"bits flipped in {len(files)} files of the digits build's cache, {sum(sizes):,} bytes: taken"
    return [Level(f"{len(flips)} {what}", "0", str(len(taken)), not taken)]
