from edgekit.host import host_of, instruction_sets, this_host

X86 = "processor : 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 avx512f avx512_vnni\n"
ARM = "processor : 0\nFeatures\t: fp asimd asimddp\nCPU part\t: 0xd0b\n"


def test_the_flags_of_an_x86_machine() -> None:
    host = host_of("x86_64", X86)
    assert (host.isa, host.cpu_part, host.cpu_name) == ({"avx2", "avx512", "vnni"}, "", "Some CPU")


def test_the_features_of_an_arm_machine() -> None:
    host = host_of("aarch64", ARM)
    assert (host.isa, host.cpu_part) == ({"neon", "dotprod"}, "0xd0b")


def test_nothing_is_claimed_of_a_machine_that_tells_nothing() -> None:
    assert host_of("aarch64", "").isa == frozenset()


def test_this_machine_has_an_architecture() -> None:
    assert this_host().arch


def test_flags_name_instruction_sets() -> None:
    assert instruction_sets(["fp", "asimd", "asimddp"]) == {"neon", "dotprod"}
    assert instruction_sets(["avx2", "avx_vnni"]) == {"avx2", "vnni"} and instruction_sets([]) == frozenset()
