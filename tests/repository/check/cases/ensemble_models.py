from __future__ import annotations

from tests.repository.check.case import PYTHON, Case, Files
from tests.repository.check.cases.ensemble_config import PASSES, adder, ensemble, step

__all__ = ["CASES"]

CALL = {"a": "a"}, {"b": "b"}


def _ensembles(**calls: str) -> Files:
    """Ensembles by their names, each of which calls one model that is an ensemble too."""
    return {
        path: content
        for name, called in calls.items()
        for path, content in (
            (f"{name}/config.pbtxt", ensemble(step(called, *CALL))),
            (f"{name}/1/", ""),
        )
    }


def _over(config: str, beside: Files) -> Files:
    return {"m/config.pbtxt": config, "m/1/": "", **beside}


BROKEN = {**adder(), "add/config.pbtxt": str(adder()["add/config.pbtxt"]).replace("8", "-8")}
UNSERVED = {path: content for path, content in adder().items() if path.endswith("pbtxt")}
ADD = step("add", {"x": "a"}, {"y": "b"})
CASES = [
    Case(
        "TK114",
        fails=_over(ensemble(step("ad", {"x": "a"}, {"y": "b"})), {"add/1/model.py": PYTHON}),
        passes=PASSES,
        says="ensemble m contains models that are not available or ambiguous: ad",
        at='"ad"',
    ),
    Case(
        "TK115",
        fails=_over(ensemble(ADD), BROKEN),
        passes=PASSES,
        says="ensemble m contains models that are not available or ambiguous: add",
        at='"add"',
    ),
    Case(
        "TK115",
        fails=_over(ensemble(ADD), UNSERVED),
        passes=PASSES,
        says="ensemble 'm' depends on 'add' which has no loaded version. Model 'add' loading "
        "failed with error: at least one version must be available under the version policy of "
        "model 'add'",
        at='"add"',
    ),
    Case(
        "TK115",
        fails=_over(ensemble(step("e", *CALL)), {**_ensembles(e="nothing")}),
        passes=PASSES,
        says="ensemble 'm' depends on 'e' which is not valid. Model 'e' failed with error: ",
        at='"e"',
    ),
    Case(
        "TK116",
        fails={**PASSES, "m/config.pbtxt": ensemble(ADD.replace("-1", "2"))},
        passes=PASSES,
        says="ensemble 'm' depends on 'add' whose required version 2 is not loaded.",
        at="2",
    ),
    Case(
        "TK116",
        fails={
            **PASSES,
            "m/config.pbtxt": ensemble(ADD.replace("    model_version: -1\n", "")),
        },
        passes=PASSES,
        says="ensemble 'm' depends on 'add' whose required version 0 is not loaded.",
        at="step",
    ),
    Case(
        "TK117",
        fails=_ensembles(m="m"),
        passes=PASSES,
        says="circular dependency between ensembles: m -> ... -> m -> m",
        at='"m"',
    ),
    Case(
        "TK117",
        fails=_ensembles(m="n", n="m"),
        passes=PASSES,
        says="circular dependency between ensembles: m -> ... -> n -> m",
        at='"n"',
    ),
    Case(
        "TK117",
        fails=_ensembles(l="m", m="n", n="l"),
        passes=PASSES,
        says="circular dependency between ensembles: l -> ... -> n -> l",
        at='"n"',
    ),
    Case(
        "TK182",
        fails=_ensembles(m="n", n="o", o="n"),
        passes=PASSES,
        at='"n"',
        unasked="the server crashes",
    ),
]
