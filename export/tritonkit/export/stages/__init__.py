"""Pure functions from one ONNX file to another, and the recipes made of them."""

from tritonkit.export.stages.catalogue import standard
from tritonkit.export.stages.compatibility import Compatibility, compatibility
from tritonkit.export.stages.dynamic import quantise_dynamic
from tritonkit.export.stages.half import halve
from tritonkit.export.stages.instructions import InstructionSet
from tritonkit.export.stages.mixed import quantise_mixed
from tritonkit.export.stages.optimise import optimise
from tritonkit.export.stages.recipe import PRECISIONS, Bench, Recipe
from tritonkit.export.stages.recipes import Dynamic, Half, Mixed, Single, Static, WeightOnly
from tritonkit.export.stages.search_space import search_space
from tritonkit.export.stages.sensitivity import rank_nodes
from tritonkit.export.stages.static import Calibration, quantise_static
from tritonkit.export.stages.weights import quantise_weights

__all__ = [
    "PRECISIONS",
    "Bench",
    "Calibration",
    "Compatibility",
    "Dynamic",
    "Half",
    "InstructionSet",
    "Mixed",
    "Recipe",
    "Single",
    "Static",
    "WeightOnly",
    "compatibility",
    "halve",
    "optimise",
    "quantise_dynamic",
    "quantise_mixed",
    "quantise_static",
    "quantise_weights",
    "rank_nodes",
    "search_space",
    "standard",
]
