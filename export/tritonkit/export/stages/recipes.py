"""The recipes: each a stage with its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tritonkit.export.stages.dynamic import quantise_dynamic
from tritonkit.export.stages.half import halve
from tritonkit.export.stages.mixed import quantise_mixed
from tritonkit.export.stages.optimise import optimise
from tritonkit.export.stages.recipe import Bench, Recipe
from tritonkit.export.stages.rewrite import rewrite
from tritonkit.export.stages.sensitivity import rank_nodes
from tritonkit.export.stages.static import Calibration, quantise_static
from tritonkit.export.stages.weights import quantise_weights

__all__ = [
    "Dynamic",
    "Half",
    "Mixed",
    "Single",
    "Static",
    "WeightOnly",
    "share",
]


@dataclass(frozen=True, slots=True)
class Single(Recipe):
    """FP32, as converted or fused."""

    fused: bool = False

    @property
    def name(self) -> str:
        """fp32, or "fp32 fused"."""
        return "fp32 fused" if self.fused else "fp32"

    @property
    def precision(self) -> str:
        """fp32."""
        return "fp32"

    @property
    def summary(self) -> str:
        """In half a line."""
        return "as trained, nodes fused" if self.fused else "as trained"

    def apply(self, bench: Bench, target: Path) -> None:
        """Optimise, or copy."""
        if self.fused:
            optimise(bench.graph, target)
        else:
            rewrite(bench.graph, target, lambda model: model, what="copying")


@dataclass(frozen=True, slots=True)
class Half(Recipe):
    """FP16."""

    @property
    def name(self) -> str:
        """fp16."""
        return "fp16"

    @property
    def precision(self) -> str:
        """fp16."""
        return "fp16"

    @property
    def summary(self) -> str:
        """In half a line."""
        return "half precision inside, FP32 inputs and outputs"

    def apply(self, bench: Bench, target: Path) -> None:
        """Halve, with what overflows on the calibration batches in FP32."""
        halve(bench.graph, target, batches=bench.calibration[:1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamic(Recipe):
    """Dynamic int8, of the graph as converted or fused."""

    fused: bool = False
    unsigned: bool = False
    reduce_range: bool = False

    @property
    def name(self) -> str:
        """Such as "int8 fused" or "int8 unsigned"."""
        return " ".join(
            [
                "int8",
                *["fused"] * self.fused,
                *["unsigned"] * self.unsigned,
                *["7 bits"] * self.reduce_range,
            ]
        )

    @property
    def precision(self) -> str:
        """int8."""
        return "int8"

    @property
    def summary(self) -> str:
        """In half a line."""
        weights = "unsigned" if self.unsigned else "signed"
        bits = "7 bits" if self.reduce_range else "8 bits"
        nodes = ", nodes fused" if self.fused else ""
        return f"{weights} weights of {bits} a channel, dynamic activations{nodes}"

    def apply(self, bench: Bench, target: Path) -> None:
        """Quantise dynamically."""
        graph = bench.graph
        if self.fused:
            # Several recipes start from the fused graph.
            graph = bench.scratch / "fused.onnx"
            if not graph.exists():
                optimise(bench.graph, graph)
        quantise_dynamic(graph, target, unsigned=self.unsigned, reduce_range=self.reduce_range)


@dataclass(frozen=True, slots=True, kw_only=True)
class Static(Recipe):
    """Static int8; the most sensitive products may be weight-only."""

    method: Calibration = "minmax"
    sensitive: int = 0
    reduce_range: bool = False

    @property
    def name(self) -> str:
        """Such as "int8_static entropy", or "int8_static minmax but 8"."""
        but = f" but {self.sensitive}" if self.sensitive else ""
        return f"int8_static {self.method}{but}" + " 7 bits" * self.reduce_range

    @property
    def precision(self) -> str:
        """int8_static."""
        return "int8_static"

    @property
    def summary(self) -> str:
        """In half a line."""
        bits = "7 bits" if self.reduce_range else "8 bits"
        but = f"; the {self.sensitive} most sensitive weight-only" if self.sensitive else ""
        return (
            f"weights of {bits} a channel, activations in ranges by {self.method} "
            f"over samples that it is judged by too{but}"
        )

    def apply(self, bench: Bench, target: Path) -> None:
        """Calibrate and quantise."""
        quantise_static(
            bench.graph,
            target,
            batches=bench.calibration,
            method=self.method,
            reduce_range=self.reduce_range,
            weight_only=rank_nodes(bench)[: self.sensitive] if self.sensitive else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightOnly(Recipe):
    """Weights in blocks of 8 or 4 bits."""

    bits: Literal[4, 8] = 8
    block_size: int = 32

    @property
    def name(self) -> str:
        """Such as "w8 block 128"."""
        return f"w{self.bits} block {self.block_size}"

    @property
    def precision(self) -> str:
        """w8 or w4."""
        return f"w{self.bits}"

    @property
    def summary(self) -> str:
        """In half a line."""
        return f"weights only, {self.bits} bits in blocks of {self.block_size}"

    def apply(self, bench: Bench, target: Path) -> None:
        """Store weights in blocks."""
        quantise_weights(bench.graph, target, bits=self.bits, block_size=self.block_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed(Recipe):
    """
    The most sensitive products weight-only, the others dynamic int8.

    Args:
        sensitive: How many; None for two ninths of them, 8 of the 36 of a small encoder.
        unsigned: Weights of the others as uint8.
        reduce_range: Weights of the others in 7 bits.
    """

    sensitive: int | None = None
    unsigned: bool = False
    reduce_range: bool = False

    @property
    def name(self) -> str:
        """Such as "mixed 8"."""
        count = "" if self.sensitive is None else f" {self.sensitive}"
        return f"mixed{count}" + " unsigned" * self.unsigned + " 7 bits" * self.reduce_range

    @property
    def precision(self) -> str:
        """Always mixed."""
        return "mixed"

    @property
    def summary(self) -> str:
        """In half a line."""
        count = "" if self.sensitive is None else f"{self.sensitive} "
        return f"the {count}most sensitive products weight-only in 8 bits, the others int8"

    def apply(self, bench: Bench, target: Path) -> None:
        """Rank the products, or take the ranking that is there, and quantise."""
        ranking = rank_nodes(bench)
        count = share(len(ranking), 2) if self.sensitive is None else self.sensitive
        quantise_mixed(
            bench.graph,
            target,
            sensitive=ranking[:count],
            unsigned=self.unsigned,
            reduce_range=self.reduce_range,
        )


def share(products: int, ninths: int) -> int:
    """So many ninths of the products of a graph, 1 or more."""
    return max(1, round(products * ninths / 9))
