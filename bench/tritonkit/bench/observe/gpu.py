"""GPUs of this machine, by NVIDIA's management library or by nvidia-smi."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tritonkit.bench.observe.observer import Observed, Observer
from tritonkit.bench.observe.sampler import Sampler

__all__ = ["Account", "Gpus", "Reading", "open_reader", "read_smi"]

INTERVAL = 0.2
"""Seconds between readings; the driver refreshes utilisation every 1/6 to 1 s."""

_LIBRARY = "libnvidia-ml.so.1"
_UUID_BYTES = 96
_SMI = (
    "nvidia-smi",
    "--query-gpu=uuid,utilization.gpu,memory.used,power.draw",
    "--format=csv,noheader,nounits",
)
_SMI_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Reading:
    """
    One GPU at one moment; None is what the driver does not tell, as under MIG.

    Args:
        utilisation: Share of the driver's last period in which a kernel ran, 0 to 1.
        memory_bytes: In use, by all processes.
        power_watts: Drawn.
    """

    utilisation: float | None
    memory_bytes: int | None
    power_watts: float | None


Reader = Callable[[], Mapping[str, Reading]]
"""Reads every GPU, by UUID; empty where that fails."""


@dataclass
class Account:
    """Means and maxima of readings."""

    _utilisation: dict[str, list[float]] = field(default_factory=dict)
    _memory: dict[str, int] = field(default_factory=dict)
    _power: dict[str, list[float]] = field(default_factory=dict)

    def add(self, readings: Mapping[str, Reading]) -> None:
        """All GPUs at one moment."""
        for uuid, reading in readings.items():
            if reading.utilisation is not None:
                self._utilisation.setdefault(uuid, []).append(reading.utilisation)
            if reading.memory_bytes is not None:
                self._memory[uuid] = max(self._memory.get(uuid, 0), reading.memory_bytes)
            if reading.power_watts is not None:
                self._power.setdefault(uuid, []).append(reading.power_watts)

    def observed(self) -> Observed:
        """What they come to."""
        return Observed(
            gpu_utilisation=_means(self._utilisation),
            gpu_memory_bytes=dict(self._memory),
            gpu_power_watts=_means(self._power),
        )


class Gpus(Observer):
    """
    Watches the GPUs of this machine, whoever uses them; tells nothing where there are none.

    Args:
        interval: Seconds between readings.
        opener: What makes a reader; None from it where there is no GPU.
    """

    def __init__(
        self, *, interval: float = INTERVAL, opener: Callable[[], Reader | None] | None = None
    ) -> None:
        self._opener = opener or open_reader
        self._reader: Reader | None = None
        self._opened = False
        self._account = Account()
        self._sampler = Sampler(self._sample, interval)

    async def start(self) -> None:
        """Begin a window."""
        self._account = Account()
        if not self._opened or self._reader is not None:
            await self._sampler.start()

    async def stop(self) -> Observed:
        """End it, and tell what was seen in between."""
        await self._sampler.stop()
        return self._account.observed()

    def _sample(self) -> None:
        # Loading the driver takes up to a second, so it is here and not in the event loop.
        if not self._opened:
            self._opened = True
            self._reader = self._opener()
        if self._reader is not None:
            self._account.add(self._reader())


def open_reader() -> Reader | None:
    """
    A reader of NVML, or of nvidia-smi where the library cannot be found.

    Returns:
        None where there is no GPU. NVML stays loaded until the process ends.
    """
    try:
        return _Nvml(ctypes.CDLL(_LIBRARY)).read
    except (OSError, AttributeError):
        pass
    return read_smi if read_smi() else None


class _Memory(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = [
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    ]


class _Memory2(ctypes.Structure):
    """nvmlMemory_v2_t, whose `used` leaves out what the driver keeps, as nvidia-smi's does."""

    _fields_ = [
        ("version", ctypes.c_uint),
        ("total", ctypes.c_ulonglong),
        ("reserved", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    ]


class _Utilisation(ctypes.Structure):
    """nvmlUtilization_t, in percent."""

    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


class _Nvml:
    """
    NVML's functions, as nvml.h has them; each returns 0 for a success.

    Raises:
        OSError: If it does not start, or sees no GPU.
        AttributeError: If it is too old to have the functions.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        if library.nvmlInit_v2() != 0:
            raise OSError("NVML does not start")
        count = ctypes.c_uint()
        if library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0 or not count.value:
            raise OSError("NVML sees no GPU")
        self._devices: dict[str, ctypes.c_void_p] = {}
        for index in range(count.value):
            device = ctypes.c_void_p()
            uuid = ctypes.create_string_buffer(_UUID_BYTES)
            if (
                library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)) == 0
                and library.nvmlDeviceGetUUID(device, uuid, _UUID_BYTES) == 0
            ):
                self._devices[uuid.value.decode("ascii", "replace")] = device
        # A driver before 510 has the first version only.
        self._memory2 = hasattr(library, "nvmlDeviceGetMemoryInfo_v2")

    def read(self) -> dict[str, Reading]:
        """Every GPU now."""
        return {
            uuid: Reading(self._utilisation(device), self._memory(device), self._power(device))
            for uuid, device in self._devices.items()
        }

    def _utilisation(self, device: ctypes.c_void_p) -> float | None:
        found = _Utilisation()
        if self._library.nvmlDeviceGetUtilizationRates(device, ctypes.byref(found)) != 0:
            return None
        return float(found.gpu) / 100

    def _memory(self, device: ctypes.c_void_p) -> int | None:
        if self._memory2:
            newer = _Memory2(version=ctypes.sizeof(_Memory2) | 2 << 24)
            if self._library.nvmlDeviceGetMemoryInfo_v2(device, ctypes.byref(newer)) == 0:
                return int(newer.used)
        found = _Memory()
        if self._library.nvmlDeviceGetMemoryInfo(device, ctypes.byref(found)) != 0:
            return None
        return int(found.used)

    def _power(self, device: ctypes.c_void_p) -> float | None:
        milliwatts = ctypes.c_uint()
        if self._library.nvmlDeviceGetPowerUsage(device, ctypes.byref(milliwatts)) != 0:
            return None
        return milliwatts.value / 1e3


def read_smi(command: tuple[str, ...] = _SMI) -> dict[str, Reading]:
    """Every GPU now, as nvidia-smi tells; empty where it does not run."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SMI_TIMEOUT, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    readings: dict[str, Reading] = {}
    for line in done.stdout.splitlines():
        fields = [each.strip() for each in line.split(",")]
        if len(fields) == 4:
            utilisation, mebibytes, watts = map(_number, fields[1:])
            readings[fields[0]] = Reading(
                None if utilisation is None else utilisation / 100,
                None if mebibytes is None else int(mebibytes * 2**20),
                watts,
            )
    return readings


def _number(text: str) -> float | None:
    """None for "[N/A]" and its like."""
    try:
        return float(text)
    except ValueError:
        return None


def _means(values: Mapping[str, list[float]]) -> dict[str, float]:
    return {uuid: sum(each) / len(each) for uuid, each in values.items()}
