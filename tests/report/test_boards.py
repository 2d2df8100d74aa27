import json

from edgekit.report.boards import board_json, board_report
from tests.report.rendered import rendered
from tests.runners.pi import PI, RPI4


def test_a_board_is_told_with_what_would_disturb_it() -> None:
    told = rendered(*board_report(PI, [RPI4]))
    assert "pi@pi.local: Raspberry Pi 4 Model B Rev 1.4" in told and "part 0xd08" in told
    assert "figures taken there are those of: rpi4" in told and "1,800 MHz at most" in told
    assert "disturbed: the governor ondemand lets the clock vary" in told and "3981.5 MB, 3500.0 MB free" in told
    assert "native" not in told
    assert "none of the known targets" in rendered(*board_report(PI, []))


def test_the_json_says_the_same() -> None:
    told = json.loads(board_json(PI, [RPI4]))
    assert (told["schema"], told["address"], told["targets"]) == (1, "pi@pi.local", ["rpi4"])
    assert told["here"] is False and told["memory"] > told["free_memory"] and len(told["disturbed"]) == 1
