"""Target: what the build, the planner and the emulator know of a device."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from edgekit.architectures import Arch
from edgekit.host import DECISIVE_ISA, Host
from edgekit.records import Record
from edgekit.runtime_specs import RUNTIMES, RuntimeName, RuntimeSpec
from edgekit.traits import Format

Isa = Literal["neon", "dotprod", "i8mm", "avx2", "avx512", "vnni"]


class Runtime(Record, frozen=True, kw_only=True):
    """A runtime that a device carries. The emulator installs this version."""

    name: RuntimeName
    version: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+$")]
    floats: Literal["f32", "bf16"] = "f32"
    """The type in which OpenVINO computes floats. bf16, OpenVINO's default where the CPU supports it, reduces
    precision."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}{'' if self.floats == 'f32' else f', floats as {self.floats}'}"

    @property
    def spec(self) -> RuntimeSpec:
        """What edgekit knows of the runtime, for all versions."""
        return RUNTIMES[self.name]

    @property
    def format(self) -> Format:
        """The format of the models that it runs."""
        return self.spec.format


class Quantization(Record, frozen=True, kw_only=True):
    """The integer scheme for which the target's kernels are fast and exact."""

    activation: Literal["int8", "uint8"]
    weight: Literal["int8", "uint8"]
    per_channel: bool
    symmetric_activation: bool = False
    reduce_range: bool = False
    """7-bit weights: without VNNI, x86 saturates when it adds pairs of 8-bit products."""
    why: str = ""
    """The reason, shown in reports."""


class CpuInfo(Record, frozen=True, kw_only=True):
    """What /proc/cpuinfo reports on an ARM board. The emulator shows it to the runtime."""

    implementer: str
    variant: str
    part: str
    revision: int
    features: tuple[str, ...]


class CacheLevel(Record, frozen=True, kw_only=True):
    """One level of a core's data caches. Sizes are in bytes."""

    size: Annotated[int, Meta(gt=0)]
    ways: Annotated[int, Meta(gt=0)]
    line: Annotated[int, Meta(gt=0)] = 64
    shared: bool = False
    """Whether all cores share it."""

    @property
    def sets(self) -> int:
        return self.size // (self.ways * self.line)


class Budgets(Record, frozen=True, kw_only=True):
    """Limits that a build must keep. A limit of None is not checked."""

    max_bytes: Annotated[int, Meta(gt=0)] | None = None
    max_drop: Annotated[float, Meta(ge=0)] | None = None
    """How far the metric may fall below the reference: points (1.0 is 1 %) for accuracy, else the metric's own unit."""
    min_metric: float | None = None
    max_latency_ms: Annotated[float, Meta(gt=0)] | None = None
    max_memory_bytes: Annotated[int, Meta(gt=0)] | None = None
    max_latency_ratio: Annotated[float, Meta(gt=0)] | None = None
    """The highest ratio of the integer model's time to the float model's; 1 if it is absent."""


class Target(Record, frozen=True, kw_only=True):
    id: str
    name: str
    arch: Arch
    cpu: str
    """qemu-user's name of the CPU model; empty if qemu cannot emulate it."""
    isa: frozenset[Isa]
    clock_hz: Annotated[int, Meta(gt=0)] | None = None
    cores: Annotated[int, Meta(gt=0)] | None = None
    ram_bytes: Annotated[int, Meta(gt=0)] | None = None
    system_bytes: Annotated[int, Meta(ge=0)] = 0
    """RAM that firmware and operating system use."""
    channel_multiple: Annotated[int, Meta(ge=1, le=64)]
    runtime: Runtime
    """The runtime that the device carries unless a build chooses another."""
    other_runtimes: tuple[Runtime, ...] = ()
    """Further runtimes that it can carry."""
    quantization: Quantization
    cpuinfo: CpuInfo | None = None
    caches: tuple[CacheLevel, ...] = ()
    """From the first level on, as far as they are known."""
    budgets: Budgets = Budgets()
    calibration: str = ""
    """The file of latency calibrations measured on such boards, if there is one. It is not part of the device."""

    def to_json(self) -> dict[str, Any]:
        """As JSON values, without the calibration's path."""
        return {name: value for name, value in super().to_json().items() if name != "calibration"}

    @property
    def runtimes(self) -> tuple[Runtime, ...]:
        """All runtimes that it can carry, its own first."""
        return self.runtime, *self.other_runtimes

    def on(self, runtime: Runtime) -> "Target":
        """The same device with another runtime as its own."""
        return self.copy_with(runtime=runtime, other_runtimes=tuple(each for each in self.runtimes if each != runtime))

    @property
    def left_bytes(self) -> int | None:
        """The RAM that the system leaves free; None if the RAM is unknown."""
        return None if self.ram_bytes is None else max(self.ram_bytes - self.system_bytes, 0)

    @property
    def saturates(self) -> bool:
        """Whether its kernels add pairs of 8-bit products in 16 bits with saturation."""
        return self.arch == "x86_64" and "vnni" not in self.isa

    def is_this(self, host: Host) -> bool:
        """Whether figures taken on `host` are the target's own: same architecture, same kernel-selecting instruction
        sets, and on ARM the same core."""
        if host.arch != self.arch or host.isa & DECISIVE_ISA != self.isa & DECISIVE_ISA:
            return False
        return self.cpuinfo is None or host.cpu_part == self.cpuinfo.part
