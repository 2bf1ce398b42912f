from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tritonkit.errors import ConfigError
from tritonkit.export.samples.read import read_samples

SAME_FOLDER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)


def write(folder: Path, name: str, content: bytes | str) -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_a_text_a_line(tmp_path: Path) -> None:
    """A byte order mark, Windows' line ends, blank lines, and what else is a line to Unicode."""
    content = "\ufeffone\r\n\r\n  two \n   \nthree\u2028four\x0bfive".encode()
    samples = read_samples(write(tmp_path, "texts.txt", content))
    assert samples.columns["text"].tolist() == ["one", "  two ", "three\u2028four\x0bfive"]
    digest = hashlib.sha256(content).hexdigest()[:16]
    assert samples.origin == f"texts.txt, sha256 {digest}, 3 samples"
    assert (samples.labels, samples.matches, samples.extremes) == (None, None, 0)


def test_the_texts_are_the_input_of_the_model_whatever_its_name(tmp_path: Path) -> None:
    samples = read_samples(write(tmp_path, "a.txt", "one\ntwo"), columns=["query"])
    assert samples.columns["query"].tolist() == ["one", "two"]


def test_too_many_samples_are_read_evenly_spaced(tmp_path: Path) -> None:
    file = write(tmp_path, "a.txt", "\n".join(map(str, range(100))))
    samples = read_samples(file, limit=4)
    assert samples.columns["text"].tolist() == ["0", "33", "66", "99"]
    assert samples.origin.endswith(", 4 samples of 100")
    assert len(read_samples(file, limit=100)) == 100


def test_objects_with_labels_and_tensors(tmp_path: Path) -> None:
    samples = read_samples(
        write(
            tmp_path,
            "a.jsonl",
            lines(
                {"x": [[1, 2], [3, 4.5]], "flag": True, "count": 3, "amount": None, "label": "no"},
                {"flag": False, "x": [[0, 0], [0, 0]], "count": -3, "amount": 2, "label": "yes"},
            ),
        )
    )
    assert samples.columns["x"].shape == (2, 2, 2)
    assert samples.columns["flag"].dtype == np.bool_
    assert samples.columns["count"].dtype == np.int64
    np.testing.assert_array_equal(samples.columns["amount"], [np.nan, 2.0])
    assert samples.labels is not None
    assert samples.labels.tolist() == ["no", "yes"]


def test_matches_become_samples_each_once(tmp_path: Path) -> None:
    samples = read_samples(
        write(
            tmp_path,
            "a.jsonl",
            lines(
                {"text": "q1", "match": "d1"},
                {"text": "q2", "match": "d2"},
                {"text": "nobody's"},
                {"text": "q3", "match": "d1"},
            ),
        )
    )
    assert samples.columns["text"].tolist() == ["q1", "q2", "nobody's", "q3", "d1", "d2"]
    assert samples.matches is not None
    assert samples.matches.tolist() == [4, 5, -1, 4, -1, -1]
    assert samples.origin.endswith("4 samples, and 2 texts to be found")


def test_columns_of_a_csv_get_their_types(tmp_path: Path) -> None:
    samples = read_samples(
        write(
            tmp_path,
            "a.csv",
            '\ufeffage,amount,city,label\r\n+41,1e3,"Berlin, Mitte",1\r\n\r\n7,,"a\n""b""",0\r\n',
        )
    )
    assert samples.columns["age"].tolist() == [41, 7]
    assert samples.columns["age"].dtype == np.int64
    np.testing.assert_array_equal(samples.columns["amount"], [1000.0, np.nan])
    assert samples.columns["city"].tolist() == ["Berlin, Mitte", 'a\n"b"']
    assert samples.labels is not None
    assert samples.labels.tolist() == [1, 0]


@pytest.mark.parametrize("word", ["1_000", "٣", "0x1f", "1,5"])
def test_only_plain_numbers_are_numbers(word: str, tmp_path: Path) -> None:
    samples = read_samples(write(tmp_path, "a.csv", f'x\n"{word}"\n'))
    assert samples.columns["x"].tolist() == [word]


def test_only_the_models_inputs_are_taken(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "id,label,x\n9,0,1.5\n")
    assert list(read_samples(file, columns=["x"]).columns) == ["x"]
    taken = read_samples(file, columns=["label", "x"])
    assert list(taken.columns) == ["label", "x"]
    assert taken.labels is None


def test_arrays_of_an_archive(tmp_path: Path) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.savez(
        tmp_path / "a.npz", x=x, word=np.array(["a", "b", "c"]), label=np.array([[1], [0], [1]])
    )
    samples = read_samples(tmp_path / "a.npz", limit=2)
    np.testing.assert_array_equal(samples.columns["x"], x[[0, 2]])
    assert samples.columns["x"].dtype == np.float32
    assert samples.columns["word"].tolist() == ["a", "c"]
    assert samples.labels is not None
    assert samples.labels.tolist() == [1, 1]


def test_images_of_a_folder_and_of_paths(tmp_path: Path) -> None:
    for name, content in (("cat/1.png", b"one"), ("dog/2.JPG", b"two"), ("dog/read.me", b"")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    samples = read_samples(tmp_path)
    assert samples.columns["image"].tolist() == [b"one", b"two"]
    assert samples.labels is not None
    assert samples.labels.tolist() == ["cat", "dog"]
    plain = read_samples(tmp_path / "cat")
    assert plain.labels is None
    before = samples.origin
    (tmp_path / "cat/1.png").write_bytes(b"other")
    assert read_samples(tmp_path).origin != before
    file = write(tmp_path, "a.jsonl", lines({"image": "dog/2.JPG", "label": "dog"}))
    assert read_samples(file).columns["image"].tolist() == [b"two"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "a.txt holds no samples"),
        ("a.txt", b"\n \n\r\n", "a.txt holds no samples"),
        ("a.txt", b"one\ntw\xffo", "a.txt:2: samples must be UTF-8, but the byte 0xff at 6"),
        ("a.txt", b"one\nt\0w\0", "a.txt:2: .* a NUL byte looks like UTF-16"),
        ("a.txt", "\n" + "x" * 1_000_001, "a.txt:2: a line must have at most 1,000,000"),
        ("a.md", b"x", r"must be one of \.csv, \.jsonl, \.npz, \.txt or a folder of images"),
        ("a.jsonl", b'{"text": "a"}\n{"text": ', "a.jsonl:2: .* is not JSON: Expecting value"),
        ("a.jsonl", b'["a"]', r"a.jsonl:1: a line must be an object.*but is"),
        ("a.jsonl", b'{"text": "a", "text": "b"}', "a.jsonl:1: the key 'text' is there twice"),
        (
            "a.jsonl",
            b'{"text": "a"}\n\n{"txt": "b"}',
            "a.jsonl:3: the keys .*'text', but are 'txt'",
        ),
        ("a.jsonl", b'{"text": "a"}\n{"text": 7}', "a.jsonl:2: 'text' must .* but got 7, where"),
        ("a.jsonl", b'{"text": {}}', "a.jsonl:1: 'text' must be a string"),
        ("a.jsonl", b'{"text": "\\ud800"}', "a.jsonl:1: .* is not JSON: .*surrogates"),
        ("a.jsonl", b"[" * 5000, "a.jsonl:1: .* is not JSON"),
        ("a.jsonl", b'{"x": 9223372036854775808}', "a.jsonl:1: 'x' must fit into 64 bits"),
        ("a.jsonl", b'{"x": [1, [2]]}', "a.jsonl:1: 'x' must be a list of numbers"),
        (
            "a.jsonl",
            b'{"x": [1]}\n{"x": [1, 2]}',
            r"a.jsonl:2: 'x' has shape \[2\], where .* \[1\]",
        ),
        ("a.jsonl", b'{"label": 1}', "has no column of a model's input; it has 'label'"),
        (
            "a.jsonl",
            b'{"x": 1, "label": 1}\n{"x": 1, "label": null}',
            "a.jsonl:2: 'label' is missing",
        ),
        ("a.jsonl", b'{"text": "a", "match": 3}', "a.jsonl:1: 'match' must be a text .* but got 3"),
        ("a.jsonl", b'{"x": 1, "text": "a", "match": "b"}', "beside one column of texts alone"),
        ("a.jsonl", b'{"image": "none.png"}', "a.jsonl:1: the image 'none.png' cannot be read"),
        ("a.jsonl", b'{"image": "\\u0000"}', "a.jsonl:1: the image .* cannot be read"),
        (
            "a.csv",
            b"a,b\n1,2\n3\n",
            "a.csv:3: a row must have 2 fields, as the header, but has 1: '3'",
        ),
        ("a.csv", b'a\n"x\ny"\n1,2\n', "a.csv:4: a row must have 1 fields"),
        ("a.csv", b"a,a\n1,2\n", "a.csv:1: the column 'a' is there twice"),
        ("a.csv", b"a,\n1,2\n", "a.csv:1: each column must have a name"),
        ("a.csv", b"a,b\n", "a.csv holds no samples"),
        ("a.csv", b'a\n"x', "a.csv:2: the row is not CSV: unexpected end of data"),
        ("a.csv", b"a\n" + b"x" * 200_000, "a.csv:2: the row is not CSV: field larger"),
        ("a.csv", b"a,label\n1,x\n2,\n", "a.csv:3: 'label' is empty"),
        ("a.npz", b"", "a.npz is not an archive of numpy.savez"),
        ("a.npz", b"PK\x03\x04junk", "a.npz is not an archive of numpy.savez"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    name: str, content: bytes | str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_samples(write(tmp_path, name, content))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"x": np.array([{}, 1], np.object_)},
            "'x' cannot be read: Object arrays cannot be loaded",
        ),
        ({"x": np.zeros(2, np.complex64)}, r"'x' must be numbers.*but is complex64 of shape \[2\]"),
        ({"x": np.array(1.0)}, r"'x' must be numbers.*with an axis of samples.*shape \[\]"),
        ({"x": np.zeros(2), "y": np.zeros(3)}, "must have one length, but have {'x': 2, 'y': 3}"),
        ({"x": np.zeros((0, 3))}, "holds no samples"),
        ({"x": np.zeros(2), "label": np.zeros((2, 2))}, r"one value a row, but has shape \[2, 2\]"),
        ({"x": np.array([b"\xff"])}, "'x' must be UTF-8"),
    ],
)
def test_arrays_that_are_no_samples_are_named(
    arrays: dict[str, Any], message: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ConfigError, match=message):
        read_samples(tmp_path / "a.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_array_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(2))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("x.npy", archive.read("x.npy"))
    with pytest.raises(ConfigError, match=r"'x\.npy' is there twice"):
        read_samples(tmp_path / "a.npz")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "a,b\n1,2\n")
    with pytest.raises(ConfigError, match="has no column 'c'; it has 'a', 'b'"):
        read_samples(file, columns=["a", "c"])
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_samples(tmp_path / "none.txt")
    with pytest.raises(ConfigError, match="limit must be 1 or more, but got 0"):
        read_samples(file, limit=0)


def test_a_folder_of_images_has_labels_for_all_or_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no images"):
        read_samples(tmp_path)
    (tmp_path / "cat").mkdir()
    for name in ("cat/1.png", "2.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ConfigError, match=r"2\.png and cat/1\.png"):
        read_samples(tmp_path)


def origin_or_error(file: Path) -> str:
    try:
        return read_samples(file).origin
    except ConfigError as error:
        return str(error)


MARKS = st.sampled_from(
    [b'"', b",", b"\n", b"\r", b"{", b"}", b"[", b"]", b":", b"\\", b"\0", b"\xff", b"\xef\xbb\xbf"]
)
WORDS = st.sampled_from([b'"text"', b'"label"', b'"match"', b"1", b"-2.5", b"nan", b"null", b"a"])
JUNK = st.one_of(
    st.binary(max_size=60), st.lists(st.one_of(MARKS, WORDS), max_size=30).map(b"".join)
)


@SAME_FOLDER
@given(content=JUNK, suffix=st.sampled_from(["txt", "jsonl", "csv", "npz"]))
def test_any_file_gives_samples_or_a_config_error(
    content: bytes, suffix: str, tmp_path: Path
) -> None:
    assert f"a.{suffix}" in origin_or_error(write(tmp_path, f"a.{suffix}", content))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("archive") / "a.npz"
    np.savez_compressed(file, x=np.arange(6).reshape(3, 2), word=np.array(["a", "b", "c"]))
    return file.read_bytes()


@SAME_FOLDER
@given(at=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_archive_gives_samples_or_a_config_error(
    at: float, value: int, cut: bool, archive: bytes, tmp_path: Path
) -> None:
    place = int(at * len(archive))
    damaged = archive[:place] + (b"" if cut else bytes([value]) + archive[place + 1 :])
    assert "a.npz" in origin_or_error(write(tmp_path, "a.npz", damaged))


@SAME_FOLDER
@given(texts=st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=8))
def test_every_text_comes_through_json(texts: list[str], tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", lines(*({"text": text} for text in texts)))
    assert read_samples(file).columns["text"].tolist() == texts
