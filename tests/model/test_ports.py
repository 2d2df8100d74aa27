import pytest

from edgekit.errors import ModelError
from edgekit.model.ports import Port, batch_of_one


def test_a_dynamic_axis_needs_a_length() -> None:
    port = Port("x", "float32", ("batch", "sequence", 4))
    assert batch_of_one(port, {"sequence": 7}) == (1, 7, 4)
    with pytest.raises(ModelError) as raised:
        batch_of_one(port, {})
    assert "--shape sequence=" in raised.value.hint
