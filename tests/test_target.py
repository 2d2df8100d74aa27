from edgekit.host import Host
from edgekit.target import Runtime
from edgekit.target_files import find_target


def test_a_machine_is_a_target_only_with_the_same_deciding_instructions() -> None:
    plain, vnni = find_target("x86-avx2"), find_target("x86-vnni")
    zen4 = Host("x86_64", frozenset({"avx2", "avx512", "vnni"}), "", "")
    haswell = Host("x86_64", frozenset({"avx2"}), "", "")
    assert vnni.is_this(zen4) and not vnni.is_this(haswell)
    assert plain.is_this(haswell) and not plain.is_this(zen4)
    pi3 = Host("aarch64", frozenset({"neon"}), "0xd03", "")
    assert find_target("rpi3").is_this(pi3) and not find_target("rpi4").is_this(pi3)


def test_x86_saturates_without_vnni_and_nothing_else_does() -> None:
    assert [each for each in ("x86-avx2", "x86-vnni", "rpi4", "rpi5") if find_target(each).saturates] == ["x86-avx2"]


def test_another_of_its_runtimes_takes_the_first_one_s_place() -> None:
    target = find_target("rpi4")
    other = target.on(target.runtimes[1])
    assert other.runtime == target.runtimes[1] and set(other.runtimes) == set(target.runtimes)
    assert other.on(target.runtime) == target.copy_with(other_runtimes=other.on(target.runtime).other_runtimes)
    outsider = Runtime(name="openvino", version="1.0.0")
    assert target.on(outsider).runtimes == (outsider, *target.runtimes)
