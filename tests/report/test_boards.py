import json

from edgekit.report.boards import board_json, board_report
from tests.report.rendered import rendered
from tests.runners.pi import PI, RPI4


def test_a_board_is_told_with_what_would_disturb_it() -> None:
    result = rendered(*board_report(PI, [RPI4]))
    assert "pi@pi.local: Raspberry Pi 4 Model B Rev 1.4" in result and "part 0xd08" in result
    assert "measurements there apply to: rpi4" in result and "1,800 MHz at most" in result
    assert "disturbed: the governor ondemand varies the clock" in result and "3981.5 MB, 3500.0 MB free" in result
    assert "native" not in result
    assert "no known target" in rendered(*board_report(PI, []))


def test_the_json_says_the_same() -> None:
    data = json.loads(board_json(PI, [RPI4]))
    assert (data["schema"], data["address"], data["targets"]) == (1, "pi@pi.local", ["rpi4"])
    assert data["here"] is False and data["memory"] > data["free_memory"] and len(data["disturbed"]) == 1
