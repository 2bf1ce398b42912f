from __future__ import annotations

import os
import pickle  # noqa: TID251 - what is refused here
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tritonkit.errors import ConfigError, ExportError
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.scikit_learn.scikit_learn import ScikitLearn
from tritonkit.export.sources.source import Source
from tritonkit.export.sources.tabular.pickles import load_pickle
from tritonkit.export.sources.tabular.table import FEATURES
from tritonkit.export.sources.tabular_file import read_tabular
from tritonkit.export.sources.trees.boosted import Boosted
from tritonkit.export.sources.trees.lightgbm import LightGBM
from tritonkit.export.sources.trees.xgboost import XGBoost

Rows = NDArray[np.float64]
Answer = Callable[[Source, Samples], tuple[Mapping[str, Any], Mapping[str, Any]]]


class Trap:
    """Its pickle runs a command: it writes the number of the process' parent to a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"echo $PPID > {self.mark}",)


def test_a_pickle_is_refused_and_its_code_not_run(tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / "model.joblib"
    joblib.dump(Trap(mark), file)
    with pytest.raises(ConfigError, match=r"runs any code that its author put in") as caught:
        read_tabular(file, allow_pickle=False)
    assert "--allow-pickle" in str(caught.value)
    assert "skl2onnx" in str(caught.value)
    with pytest.raises(ConfigError, match=r"runs any code"):
        ScikitLearn(file)
    assert not mark.exists()


def test_an_allowed_pickle_runs_in_a_child_only(tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / "model.pkl"
    joblib.dump(Trap(mark), file)
    with pytest.raises(ConfigError, match=r"int is no estimator of scikit-learn"):
        read_tabular(file, allow_pickle=True)
    assert int(mark.read_text()) != os.getpid()


class Leaver:
    """Its pickle ends the process, with success."""

    def __reduce__(self) -> Any:
        return exit, (0,)


def test_a_pickle_that_ends_the_process_is_said_in_words(tmp_path: Path) -> None:
    joblib.dump(Leaver(), tmp_path / "model.pkl")
    with pytest.raises(ExportError, match=r"ended before its time"):
        read_tabular(tmp_path / "model.pkl", allow_pickle=True)


@pytest.mark.parametrize(
    ("kind", "suffix"), [(XGBoost, ".json"), (XGBoost, ".ubj"), (LightGBM, ".txt")]
)
def test_a_pickle_in_disguise_is_never_loaded(
    kind: type[Boosted], suffix: str, tmp_path: Path
) -> None:
    """Whatever it is called: without the flag its code does not run."""
    mark, file = tmp_path / "mark", tmp_path / f"model{suffix}"
    file.write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(ConfigError, match=r"no model that \w+ can load"):
        kind.load(file)
    assert not mark.exists()


def test_a_pickle_answers_as_its_model(rows: Rows, answer: Answer, tmp_path: Path) -> None:
    model = LogisticRegression().fit(rows, np.where(rows[:, 0] > 0, "yes", "no"))
    joblib.dump(model, tmp_path / "credit.joblib")
    source = read_tabular(tmp_path / "credit.joblib", allow_pickle=True)
    expected, given = answer(source, Samples({FEATURES: rows}, "rows.npz"))
    assert (source.name, source.kind) == ("credit", "scikit-learn file")
    assert source.labels == ("no", "yes")
    np.testing.assert_array_equal(expected["label"][:, 0], model.predict(rows))
    np.testing.assert_array_equal(given["label"], expected["label"])
    np.testing.assert_allclose(given["probabilities"], model.predict_proba(rows), atol=1e-6)


def test_a_pickle_of_another_version_is_refused(
    rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "old.joblib"
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "1.3.0")
        joblib.dump(LogisticRegression().fit(rows, rows[:, 0] > 0), file)
    with pytest.raises(ConfigError) as caught:
        load_pickle(file)
    assert "was written by scikit-learn 1.3.0" in str(caught.value)
    assert "Install scikit-learn==1.3.0" in str(caught.value)


def test_a_broken_pickle_is_refused(rows: Rows, tmp_path: Path) -> None:
    file = tmp_path / "cut.joblib"
    joblib.dump(LogisticRegression().fit(rows, rows[:, 0] > 0), file)
    whole = file.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"hello"):
        file.write_bytes(content)
        with pytest.raises(ConfigError, match=r"cut.joblib cannot be loaded"):
            load_pickle(file)


def test_a_pickle_of_missing_code_names_it(rows: Rows, tmp_path: Path) -> None:
    file = tmp_path / "other.pkl"
    # Protocol 0: text.
    file.write_bytes(b"cnot_there.module\nModel\n.")
    with pytest.raises(ConfigError, match=r"needs the module not_there"):
        load_pickle(file)
    file.write_bytes(b"csklearn.linear_model\nNoSuchModel\n.")
    with pytest.raises(ConfigError, match=r"needs code that is not here: .*NoSuchModel"):
        load_pickle(file)
