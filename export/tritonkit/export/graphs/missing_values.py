"""Where scikit-learn's trees send missing values, which skl2onnx leaves out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from tritonkit.extras import require

__all__ = ["send_missing_values"]

_TRACKS = "nodes_missing_value_tracks_true"


def send_missing_values(model: Any, trees: Iterable[Any]) -> None:
    """
    Let NaN take the branches in *model* that it takes in *trees*.

    Args:
        model: onnx.ModelProto with tree ensembles that skl2onnx made; it is changed.
        trees: sklearn.tree._tree.Tree, each of those that it may have made them of.
    """
    onnx = require("onnx", extra="export")
    known = defaultdict(list)
    for tree in trees:
        known[tree.children_left.tobytes(), tree.feature.tobytes()].append(tree)
    for node in model.graph.node:
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if not node.op_type.startswith("TreeEnsemble") or _TRACKS not in attributes:
            continue
        values = {
            name: np.asarray(onnx.helper.get_attribute_value(attributes[f"nodes_{name}"]))
            for name in ("treeids", "nodeids", "truenodeids", "featureids", "modes", "values")
        }
        tracks = np.array(attributes[_TRACKS].ints)
        for number in np.unique(values["treeids"]):
            at = np.flatnonzero(values["treeids"] == number)
            at = at[np.argsort(values["nodeids"][at])]
            leaf = values["modes"][at] == b"LEAF"
            # -1 and -2: a leaf's in scikit-learn.
            left = np.where(leaf, -1, values["truenodeids"][at]).astype(np.int64)
            feature = np.where(leaf, -2, values["featureids"][at]).astype(np.int64)
            for tree in known[left.tobytes(), feature.tobytes()]:
                if np.allclose(tree.threshold[~leaf], values["values"][at][~leaf], rtol=1e-5):
                    tracks[at] = np.where(leaf, 0, tree.missing_go_to_left)
                    break
        attributes[_TRACKS].ints[:] = tracks.tolist()
