import json
import subprocess
from collections.abc import Callable


def test_the_pieces_are_reported(run_edgekit: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    value = json.loads(run_edgekit("doctor", "--json").stdout)["checkups"]
    assert {"torch", "onnxruntime", "cuda", "target rpi4"} <= {each["name"] for each in value}
