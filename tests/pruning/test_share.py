from hypothesis import given
from hypothesis import strategies as st

from edgekit.pruning.share import PrunableUnits, Share, kept_channels


@given(st.integers(1, 512), st.floats(0.01, 0.99), st.sampled_from([1, 4, 8, 16]))
def test_what_stays_is_the_nearest_multiple(channels: int, ratio: float, multiple: int) -> None:
    kept = kept_channels(channels, ratio, multiple)
    assert 0 < kept <= channels
    assert kept % multiple == 0 or kept == channels
    if channels >= multiple * 2 and channels % multiple == 0 and kept > multiple:
        assert abs(kept - channels * (1 - ratio)) <= multiple / 2


@given(st.integers(1, 512), st.floats(0.01, 0.99), st.sampled_from([1, 4, 8]), st.sampled_from([1, 2, 4]), st.data())
def test_a_gradual_cut_ends_where_one_cut_does(
    channels: int, ratio: float, multiple: int, groups: int, data: st.DataObject
) -> None:
    channels *= groups
    share, counts = Share(ratio, multiple), [channels]
    for share.done in (0.3, 0.8, 1.0):
        counts.append(share.count_to_keep("layer", counts[-1], groups))
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == Share(ratio, multiple).count_to_keep("layer", channels, groups)
    assert groups == channels or all(each % groups == 0 for each in counts)
    heads = data.draw(st.integers(1, 16))
    for share.done in (0.3, 0.8, 1.0):
        heads = share.kept_heads("layer", heads)
    assert heads == kept_channels(share._first["layer heads"], ratio, 1)


def test_the_layers_of_a_submodule_have_shares_of_their_own() -> None:
    share = Share(0.5, 1)
    assert share.below("left").count_to_keep("0", 32) == 16
    assert share.below("right").count_to_keep("0", 8) == 4
    assert share.below("left").count_to_keep("0", 16) == 16, "half of it is gone"


def test_whether_anything_is_removed_depends_on_ratio_multiple_and_units() -> None:
    units = PrunableUnits({"conv": (16, 1)}, {"attention": 4}, {})
    assert units.are_removed(0.5, 8, "all") and units.are_removed(0.5, 8, "channels")
    assert not units.are_removed(0.2, 8, "channels"), "13 of 16 are rounded to 16"
    assert units.are_removed(0.2, 4, "channels") and units.are_removed(0.2, 8, "heads")
    assert not units.are_removed(0.1, 8, "heads"), "3.6 of 4 heads are rounded to 4"
    assert not PrunableUnits({}, {}, {"conv": "cannot be traced"}) and units
