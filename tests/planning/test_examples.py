from edgekit.planning.examples import surroundings_given
from edgekit.traits import Role


def test_everything_is_known_but_for_what_is_given() -> None:
    values, unknown = surroundings_given({}).known(Role.STUDENT)
    assert not unknown
    assert (values["architecture"], values["student_share"], values["odd_channels"]) == ("cnn", 0.5, False)
    given = surroundings_given(
        {"architecture": "transformer", "student_share": 0.1, "channels": [12], "isa": [], "reduce_range": True}
    )
    values, _ = given.known(Role.STUDENT)
    assert (values["architecture"], values["student_share"], values["odd_channels"]) == ("transformer", 0.1, True)
    assert given.target is not None and not given.target.isa and given.target.quantization.reduce_range
