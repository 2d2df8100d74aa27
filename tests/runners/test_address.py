import pytest

from edgekit.errors import RunnerError
from edgekit.runners.address import Address, address_of


@pytest.mark.parametrize(
    ("url", "expected", "shown"),
    [
        ("ssh://pi@raspberrypi.local:2222", Address("raspberrypi.local", "pi", 2222), "pi@raspberrypi.local:2222"),
        ("ssh://Board", Address("Board"), "Board"),
        ("ssh://pi@10.0.0.7/", Address("10.0.0.7", "pi"), "pi@10.0.0.7"),
        ("ssh://pi@[fe80::1]:22", Address("fe80::1", "pi", 22), "pi@[fe80::1]:22"),
    ],
)
def test_an_address_is_read_as_it_is_written(url: str, expected: Address, shown: str) -> None:
    """A name in capitals may be one of the user's own ssh configuration."""
    assert address_of(url) == expected and str(expected) == shown


@pytest.mark.parametrize(
    "url",
    ["ssh://", "ssh://pi@", "ssh://a:port", "ssh://a:99999", "ssh://a/b", "ssh://pi:word@a", "ssh://-oProxyCommand=x"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(RunnerError) as refused:
        address_of(url)
    assert refused.value.hint and "word" not in refused.value.message.replace("password", "")


def test_only_what_the_address_says_goes_before_the_users_own_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEKIT_SSH", raising=False)
    bare, full = Address("board").command("pass"), Address("board", "pi", 23).command("pass")
    assert bare[0] == "ssh" and bare[-3:] == ["--", "board", "exec python3 -c 'pass'"] and not {"-p", "-l"} & set(bare)
    assert full[full.index("-p") + 1] == "23" and full[full.index("-l") + 1] == "pi"
