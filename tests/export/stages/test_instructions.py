"""What a CPU has, and the advice that follows."""

from __future__ import annotations

import pytest

from tritonkit.errors import ConfigError
from tritonkit.export.stages import PRECISIONS, InstructionSet
from tritonkit.machine import Machine


def machine(instructions: str) -> Machine:
    return Machine(cpu="", int8_instructions=instructions, cores=1, memory_bytes=1, system="Linux")


@pytest.mark.parametrize(
    ("instructions", "vnni", "saturates"),
    [
        ("avx2", False, True),
        ("avx2 avx_vnni", True, False),
        ("avx2 avx512_vnni", True, False),
        ("avx2 avx512_vnni amx_int8", True, False),
        ("asimddp i8mm", False, False),
        ("none known", False, False),
    ],
)
def test_sums_are_cut_off_on_x86_without_vnni(
    instructions: str, vnni: bool, saturates: bool
) -> None:
    found = InstructionSet.of(machine(instructions))

    assert (found.vnni, found.saturates) == (vnni, saturates)
    assert set(str(found).split()) == set(instructions.split())


def test_this_machine_has_some() -> None:
    assert str(InstructionSet.here())


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("instructions", ["avx2", "avx2 avx512_vnni", "asimddp", "none known"])
def test_there_is_advice_for_each_precision(precision: str, instructions: str) -> None:
    advice = InstructionSet.of(machine(instructions)).advice(precision)

    assert advice.endswith(".")
    if precision in ("int8", "int8_static", "mixed"):
        assert "VNNI" in advice or "AVX2" in advice


@pytest.mark.parametrize(
    ("instructions", "told"),
    [("avx2 avx512_vnni amx_int8", True), ("avx2 avx512_vnni", False)],
)
def test_what_was_measured_with_amx_is_to_be_measured_again_without(
    instructions: str, told: bool
) -> None:
    advice = InstructionSet.of(machine(instructions)).advice("int8")

    assert ("measure speed again on x86 with VNNI alone" in advice) == told


def test_advice_on_something_else_is_refused() -> None:
    with pytest.raises(ConfigError, match="'int9'"):
        InstructionSet.here().advice("int9")
