"""The process in which the library of a tabular file runs."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

from tritonkit.errors import ConfigError
from tritonkit.export.sources.answer_file import write_answers
from tritonkit.export.sources.tabular.column_file import read_columns
from tritonkit.export.sources.tabular.table import Table
from tritonkit.export.sources.tabular.tabular import Tabular

__all__ = ["answer_parent"]


def answer_parent(source: type[Tabular]) -> None:
    """
    Do what `Tabular` asks a child process for, by its command line.

    "read FILE FOLDER TYPES" converts; "answer FILE FOLDER" answers samples. What is the
    user's to mend goes into refusal.txt.
    """
    task, path, place, *rest = sys.argv[1:]
    folder = Path(place)
    try:
        with warnings.catch_warnings(action="ignore"):
            model = source.load(Path(path))
        if task == "read":
            graph, table = source.convert_model(model, json.loads(rest[0]))
            (folder / "model.onnx").write_bytes(graph.SerializeToString())
            (folder / "table.json").write_text(table.to_json())
            # The last: it says that the others are whole.
            (folder / "packages.json").write_text(json.dumps(source.packages(model)))
            return
        table = Table.from_json((folder / "table.json").read_text())
        columns = read_columns(folder / "samples.npz")
        write_answers(folder / "reference.npz", source.answers(model, table, columns))
    except ConfigError as error:
        (folder / "refusal.txt").write_text(str(error))
