"""What a CPU has for int8, and what that means for a precision."""

from __future__ import annotations

from dataclasses import dataclass

from tritonkit.errors import ConfigError
from tritonkit.export.stages.recipe import PRECISIONS
from tritonkit.machine import Machine

__all__ = ["InstructionSet"]

_VNNI = {"avx_vnni", "avx512_vnni", "amx_int8"}
_ARM = {"asimddp", "i8mm"}


@dataclass(frozen=True, slots=True)
class InstructionSet:
    """
    The instructions for int8 of a CPU.

    Args:
        names: As the kernel calls them: avx2, avx_vnni, avx512_vnni, amx_int8, and
            asimddp and i8mm on ARM.
    """

    names: frozenset[str]

    @classmethod
    def here(cls) -> InstructionSet:
        """That of this machine."""
        return cls.of(Machine.here())

    @classmethod
    def of(cls, machine: Machine) -> InstructionSet:
        """That of *machine*."""
        return cls(frozenset(machine.int8_instructions.split()) & {"avx2", *_VNNI, *_ARM})

    @property
    def vnni(self) -> bool:
        """Whether x86 adds four products of 8 bits up in 32 bits, at once."""
        return bool(self.names & _VNNI)

    @property
    def saturates(self) -> bool:
        """
        Whether products of 8 bits are added up in 16 bits, so that large sums are cut off.

        Source: onnxruntime's documentation, Quantize ONNX Models: x86 with AVX2 or
        AVX-512 and without VNNI, for uint8 activations and int8 weights.
        """
        return "avx2" in self.names and not self.vnni

    def __str__(self) -> str:
        return " ".join(sorted(self.names)) or "none known"

    def advice(self, precision: str) -> str:
        """
        What *precision*, chosen on this CPU, means on another.

        Raises:
            ConfigError: If it is not one of PRECISIONS.
        """
        if precision not in PRECISIONS:
            raise ConfigError(
                f"precision must be one of {', '.join(PRECISIONS)}, but got {precision!r}."
            )
        if precision in _ADVICE:
            return _ADVICE[precision]
        if self.vnni:
            tiles = ""
            if "amx_int8" in self.names:
                tiles = "onnxruntime may use AMX here: measure speed again on x86 with VNNI alone. "
            return (
                f"Measured on a CPU with {self}. {tiles}On x86 without VNNI (avx_vnni, "
                "avx512_vnni or amx_int8) onnxruntime adds products up in 16 bits: expect less of "
                "the gain in speed, and sums that are cut off, so accuracy must be measured there; "
                "weights in 7 bits (reduce_range) avoid it. ARM with asimddp or i8mm does not "
                "cut off."
            )
        if self.saturates:
            return (
                f"Measured on a CPU with {self}, which adds products up in 16 bits: weights in "
                "7 bits (reduce_range) or unsigned ones avoid that sums are cut off. On a CPU "
                "with VNNI signed weights of 8 bits are faster and keep more; unsigned ones "
                "lose half of the gain in speed there. Export again on such a machine."
            )
        if self.names & _ARM:
            return (
                f"Measured on an ARM CPU with {self}, which does not cut sums off. On x86 "
                "without VNNI it would: measure accuracy there, with weights in 7 bits "
                "(reduce_range) among the candidates."
            )
        return (
            "This CPU has no instructions for int8 that are known here, so speed says little "
            "of another machine; on x86 with AVX2 and without VNNI measure accuracy too."
        )


_ADVICE = {
    "fp32": "The same on every machine, but for rounding.",
    "fp16": (
        "Half of the bytes; onnxruntime computes it in FP32 on x86 CPUs, with casts, and is no "
        "faster for it. It is made for GPUs."
    ),
    "w8": (
        "Weights are 8 bits and activations are rounded a block at a time, so accuracy hardly "
        "depends on the machine. Speed does: without VNNI, AMX or ARM's dot product measure "
        "again. It needs onnxruntime 1.22 or newer."
    ),
    "w4": (
        "Weights are 4 bits and activations are rounded a block at a time, so accuracy hardly "
        "depends on the machine. It is a precision for size: on CPUs it is rarely faster than "
        "FP32."
    ),
}
