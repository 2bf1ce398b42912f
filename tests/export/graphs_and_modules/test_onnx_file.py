"""ONNX files as a source: what is read, what is refused, what is answered."""

import warnings

import numpy as np
import onnx
import pytest

from tritonkit.errors import ConfigError
from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.onnx_file import OnnxFile
from tritonkit.repository import Tensor

PLUS_ONE = [("Add", ["x", "one"], ["y"])]
ONE = {"one": np.float32(1)}


def sizes(graph):
    return {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }


def assert_equal(served):
    assert list(served.answers) == list(served.reference)
    for name, rows in served.reference.items():
        assert len(rows) == len(served.samples)
        for ours, theirs in zip(served.answers[name], rows, strict=True):
            assert ours.shape == theirs.shape
            if ours.dtype.kind == "f":
                np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
            else:
                assert ours.tolist() == theirs.tolist()


@pytest.fixture
def mlp_file(mlp, tmp_path):
    file = tmp_path / "two-layers.onnx"
    onnx.save(mlp, file)
    return file


def test_a_batched_graph_answers_as_its_file_does(mlp_file, serve):
    source = OnnxFile(mlp_file)

    served = serve(source)

    assert source.batched
    assert_equal(served)
    assert sizes(served.graph) == {
        "x": ["batch_size", 4],
        "scores": ["batch_size", 3],
        "best": ["batch_size", 1],
    }


def test_what_is_read_from_a_file(mlp_file):
    source = OnnxFile(str(mlp_file))

    assert (source.path, source.name) == (str(mlp_file), "two-layers")
    assert (source.role, source.comparison, source.judged) == ("model", "values", "scores")
    assert source.notes == ()
    assert len(source.digest) == 64


def test_the_reference_is_that_of_the_file_itself(mlp, mlp_file, serve):
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in mlp.graph.initializer}

    served = serve(OnnxFile(mlp_file))

    x = served.samples.columns["x"]
    expected = np.maximum(x @ weights["w1"] + weights["b1"], 0) @ weights["w2"]
    np.testing.assert_allclose(np.stack(served.reference["scores"]), expected, rtol=1e-4, atol=1e-5)
    assert np.concatenate(served.reference["best"]).tolist() == expected.argmax(axis=1).tolist()


def test_a_fixed_first_axis_means_one_sample_at_a_time(saved, serve):
    file = saved([("x", "float", [2, 3])], PLUS_ONE, [("y", "float", [2, 3])], ONE)
    source = OnnxFile(file)

    served = serve(source)

    assert not source.batched
    assert_equal(served)
    assert sizes(served.graph) == {"x": [2, 3], "y": [2, 3]}
    assert served.answers["y"][0].shape == (2, 3)


def test_a_graph_without_batch_axis_refuses_two_samples_at_once(saved):
    source = OnnxFile(saved([("x", "float", [3])], PLUS_ONE, [("y", "float", [3])], ONE))

    with pytest.raises(ConfigError, match="no batch axis and takes one sample at a time, not 64"):
        source.prepare(source.builtin_samples())


def test_a_graph_of_bare_numbers_gets_an_axis(saved, serve):
    served = serve(OnnxFile(saved([("x", "float", [])], PLUS_ONE, [("y", "float", [])], ONE)))

    assert_equal(served)
    assert sizes(served.graph) == {"x": [1], "y": [1]}


def test_a_row_of_bare_numbers_gets_an_axis(saved, serve):
    served = serve(OnnxFile(saved([("x", "float", ["N"])], PLUS_ONE, [("y", "float", ["N"])], ONE)))

    assert_equal(served)
    assert sizes(served.graph) == {"x": ["batch_size", 1], "y": ["batch_size", 1]}


def test_several_inputs_of_several_types(saved, serve):
    file = saved(
        [
            ("ids", "int64", ["N", "length"]),
            ("pixels", "uint8", ["N", 2]),
            ("flag", "bool", ["N", 2]),
            ("exact", "double", ["N", 2]),
            ("half", "half", ["N", 2]),
        ],
        [
            ("Gather", ["table", "ids"], ["vectors"]),
            ("ReduceMean", ["vectors"], ["mean"], {"axes": [1], "keepdims": 0}),
            *(
                ("Cast", [name], [f"{name}_f"], {"to": 1})
                for name in ("pixels", "flag", "exact", "half")
            ),
            ("Sum", ["mean", "pixels_f", "flag_f", "exact_f", "half_f"], ["y"]),
        ],
        [("y", "float", ["N", 2])],
        {"table": np.arange(10, dtype=np.float32).reshape(5, 2)},
    )
    source = OnnxFile(file)

    served = serve(source)

    assert_equal(served)
    assert source.needed_input_sizes == {"ids": (8,)}
    assert source._signature.inputs == (
        Tensor("ids", "TYPE_INT64", (-1,)),
        Tensor("pixels", "TYPE_UINT8", (2,)),
        Tensor("flag", "TYPE_BOOL", (2,)),
        Tensor("exact", "TYPE_FP64", (2,)),
        Tensor("half", "TYPE_FP16", (2,)),
    )


def test_random_samples_stay_within_a_table_they_index(saved):
    file = saved(
        [("ids", "int64", ["N", 6])],
        [("Gather", ["table", "ids"], ["y"])],
        [("y", "float", ["N", 6, 2])],
        {"table": np.zeros((3, 2), np.float32)},
    )

    samples = OnnxFile(file).builtin_samples()

    assert samples.origin == "random, seed 0"
    assert len(samples) == 64
    assert set(samples.columns["ids"].ravel().tolist()) == {0, 1, 2}


def test_random_samples_are_the_same_each_time(mlp_file):
    first, again = (OnnxFile(mlp_file).builtin_samples().columns["x"] for _ in range(2))

    np.testing.assert_array_equal(first, again)


def test_strings_are_served_but_not_made_up(saved, serve):
    source = OnnxFile(
        saved(
            [("s", "string", ["N", 1])], [("Identity", ["s"], ["t"])], [("t", "string", ["N", 1])]
        )
    )
    texts = np.array([["a"], ["ü"], ["鳥"]], object)

    served = serve(source, Samples({"s": texts}, "test"))

    assert source.builtin_samples() is None
    assert [row.tolist() for row in served.answers["t"]] == texts.tolist()
    assert_equal(served)


def test_external_data_is_part_of_the_digest_and_comes_along(mlp, tmp_path, serve):
    file = tmp_path / "large.onnx"
    onnx.save(mlp, file, save_as_external_data=True, location="weights.bin", size_threshold=0)
    before = OnnxFile(file)

    served = serve(before)

    assert (tmp_path / "weights.bin").stat().st_size > 0
    assert_equal(served)
    assert [path.name for path in (tmp_path / "converted").iterdir() if path.suffix == ".bin"] == []
    weights = bytearray((tmp_path / "weights.bin").read_bytes())
    weights[0] ^= 1
    (tmp_path / "weights.bin").write_bytes(weights)
    assert OnnxFile(file).digest != before.digest


def test_missing_external_data_is_named(mlp, tmp_path):
    file = tmp_path / "large.onnx"
    onnx.save(mlp, file, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()

    with pytest.raises(ConfigError, match=r"has its weights in weights\.bin, which is not beside"):
        OnnxFile(file)


def test_external_data_outside_the_folder_is_refused(mlp, tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    onnx.save(
        mlp, folder / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    model = onnx.load(folder / "m.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../w.bin"
    (folder / "w.bin").rename(tmp_path / "w.bin")
    (folder / "m.onnx").write_bytes(model.SerializeToString())

    with pytest.raises(ConfigError, match=r"external data from outside its folder: \.\./w\.bin"):
        OnnxFile(folder / "m.onnx")


def test_external_data_that_is_cut_off_is_refused(mlp, tmp_path):
    file = tmp_path / "large.onnx"
    onnx.save(mlp, file, save_as_external_data=True, location="weights.bin", size_threshold=0)
    content = (tmp_path / "weights.bin").read_bytes()
    (tmp_path / "weights.bin").write_bytes(content[:20])

    with pytest.raises(ConfigError, match=r"large\.onnx"):
        OnnxFile(file)


def test_weights_of_more_than_two_gigabytes_are_refused(mlp, tmp_path):
    file = tmp_path / "large.onnx"
    onnx.save(mlp, file, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with (tmp_path / "weights.bin").open("r+b") as weights:
        weights.truncate(3_000_000_000)

    with pytest.raises(ConfigError, match=r"has 3\.0 GB with its external data.* up to 2 GB"):
        OnnxFile(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no ONNX file, or an empty one"),
        (b"this is no protobuf at all", "is no ONNX file, or its end is missing"),
    ],
)
def test_a_file_that_is_no_graph_is_refused(tmp_path, content, message):
    file = tmp_path / "x.onnx"
    file.write_bytes(content)

    with pytest.raises(ConfigError, match=message):
        OnnxFile(file)


def test_a_truncated_file_is_refused(mlp, tmp_path):
    file = tmp_path / "x.onnx"
    file.write_bytes(mlp.SerializeToString()[:-9])

    with pytest.raises(ConfigError, match="is no ONNX file, or its end is missing"):
        OnnxFile(file)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"is no file; export takes an \.onnx file"):
        OnnxFile(tmp_path / "nothing.onnx")


def test_an_opset_that_onnxruntime_does_not_load_is_refused(saved):
    x, y = [("x", "float", ["N", 3])], [("y", "float", ["N", 3])]

    with pytest.raises(ConfigError, match=r"its opset 99 is newer than \d+, the newest"):
        OnnxFile(saved(x, PLUS_ONE, y, ONE, opset=99))


def test_an_old_opset_is_converted_and_said_so(saved, serve):
    x, y = [("x", "float", ["N", 3])], [("y", "float", ["N", 3])]
    source = OnnxFile(saved(x, [("Clip", ["x"], ["y"], {"min": -0.5, "max": 0.5})], y, opset=9))

    served = serve(source)

    assert source.notes == ("opset 9, converted to 17",)
    assert_equal(served)


def test_an_old_opset_that_cannot_be_converted_is_refused(saved):
    """onnxruntime has had this operator for longer than the standard."""
    x, y = [("x", "float", ["N", 3])], [("y", "float", ["N", 3])]
    file = saved(x, [("ThresholdedRelu", ["x"], ["y"])], y, opset=8)

    with pytest.raises(ConfigError, match=r"of opset 8 and cannot be converted to 17: .* anew"):
        OnnxFile(file)


def test_an_operator_of_someone_else_is_named(saved):
    file = saved(
        [("x", "float", ["N", 3])],
        [("Spell", ["x"], ["y"], {"domain": "com.acme"})],
        [("y", "float", ["N", 3])],
        domains=["com.acme"],
    )

    with pytest.raises(ConfigError, match=r"no operator Spell of com\.acme; the standard"):
        OnnxFile(file)


def test_an_operator_that_does_not_exist_is_named(saved):
    file = saved([("x", "float", ["N", 3])], [("Spell", ["x"], ["y"])], [("y", "float", ["N", 3])])

    with pytest.raises(ConfigError, match="ONNX has no operator Spell in its opset"):
        OnnxFile(file)


def test_a_type_that_cannot_be_sent_is_named(saved):
    file = saved(
        [("x", "bfloat16", ["N", 3])],
        [("Cast", ["x"], ["y"], {"to": 1})],
        [("y", "float", ["N", 3])],
    )

    with pytest.raises(ConfigError, match=r"input 'x' is of type BFLOAT16.* Cast"):
        OnnxFile(file)


def test_a_graph_without_inputs_is_refused(saved):
    file = saved([], [("Identity", ["one"], ["y"])], [("y", "float", [])], ONE)

    with pytest.raises(ConfigError, match="takes no input: all that it reads is constant"):
        OnnxFile(file)


def test_an_operator_without_implementation_is_named(saved):
    file = saved(
        [("x", "float", ["N", 3])],
        [
            ("Cast", ["x"], ["brief"], {"to": onnx.TensorProto.BFLOAT16}),
            ("Erf", ["brief"], ["error"]),
            ("Cast", ["error"], ["y"], {"to": onnx.TensorProto.FLOAT}),
        ],
        [("y", "float", ["N", 3])],
    )

    with pytest.raises(ConfigError, match="onnxruntime does not implement Erf of opset 13"):
        OnnxFile(file)


def test_a_sequence_is_refused_by_name(build, tmp_path):
    model = build(
        [("x", "float", ["N", 3])],
        [("SequenceConstruct", ["x"], ["all"])],
        [("all", "float", None)],
    )
    model.graph.output[0].CopyFrom(
        onnx.helper.make_tensor_sequence_value_info("all", onnx.TensorProto.FLOAT, ["N", 3])
    )
    onnx.save(model, tmp_path / "x.onnx")

    with pytest.raises(ConfigError, match=r"output 'all' is a sequence.* end the graph"):
        OnnxFile(tmp_path / "x.onnx")


def test_a_classifier_that_ends_in_a_zip_map_is_served_without(tmp_path, serve):
    import skl2onnx
    from sklearn.linear_model import LogisticRegression

    generator = np.random.default_rng(0)
    x = generator.standard_normal((60, 4)).astype(np.float32)
    names = np.array(["cat", "dog", "bird"])[np.argmax(x[:, :3], axis=1)]
    model = LogisticRegression().fit(x, names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = skl2onnx.to_onnx(model, x[:1], target_opset={"": 17, "ai.onnx.ml": 3})
    assert "ZipMap" in {node.op_type for node in converted.graph.node}
    file = tmp_path / "animals.onnx"
    file.write_bytes(converted.SerializeToString())
    source = OnnxFile(file, comparison="classes")

    served = serve(source, Samples({"X": x}, "test"))

    assert source.judged == "output_probability"
    assert source.labels == ("bird", "cat", "dog")
    assert_equal(served)
    np.testing.assert_allclose(
        np.stack(served.answers["output_probability"]), model.predict_proba(x), atol=1e-6
    )
    assert np.concatenate(served.answers["output_label"]).tolist() == model.predict(x).tolist()


def test_a_free_first_axis_that_is_no_batch_is_refused(saved, serve):
    file = saved(
        [("x", "float", ["N", 3])],
        [("Concat", ["x", "x"], ["y"], {"axis": 0})],
        [("y", "float", ["M", 3])],
    )

    with pytest.raises(ConfigError, match=r"'y' has 4 rows for a batch of 2.* fixed size 1"):
        serve(OnnxFile(file))


def test_an_output_of_one_row_means_one_sample_at_a_time(saved, serve):
    """onnx finds the constant in the Reshape, whatever the file says of the output."""
    file = saved(
        [("x", "float", ["N", 3])],
        [("Reshape", ["x", "shape"], ["y"])],
        [("y", "float", None)],
        {"shape": np.array([1, 3], np.int64)},
    )
    model = onnx.load(file)
    model.graph.output[0].CopyFrom(
        onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", 3])
    )
    onnx.save(model, file)
    source = OnnxFile(file)

    served = serve(source, Samples({"x": np.ones((2, 1, 3))}, "test"))

    assert not source.batched
    assert_equal(served)


def test_a_graph_that_cannot_answer_a_batch_is_refused(saved, serve):
    """Its table has a place for a batch of 1 only."""
    file = saved(
        [("x", "float", ["N", 3])],
        [
            ("Shape", ["x"], ["all"], {"end": 1}),
            ("Sub", ["all", "first"], ["last"]),
            ("Gather", ["table", "last"], ["row"]),
            ("Add", ["x", "row"], ["y"]),
        ],
        [("y", "float", ["N", 3])],
        {"first": np.array([1], np.int64), "table": np.ones((1, 3), np.float32)},
    )
    source = OnnxFile(file)

    assert source.batched
    with pytest.raises(ConfigError, match=r"a batch of 2 cannot be answered: .*out of"):
        serve(source)


def test_an_operator_of_onnxruntime_alone_is_refused_where_the_standard_is_named(saved):
    """onnxruntime loads it: its own optimiser leaves it in the domain of the standard."""
    file = saved(
        [("x", "float", ["N", 3])],
        [("SimplifiedLayerNormalization", ["x", "scale"], ["y"])],
        [("y", "float", ["N", 3])],
        {"scale": np.ones(3, np.float32)},
    )

    with pytest.raises(ConfigError, match=r"is no valid ONNX file: .*SimplifiedLayerNormalization"):
        OnnxFile(file)


def test_a_graph_without_a_name_is_served(mlp, tmp_path, serve):
    mlp.graph.name = ""
    onnx.save(mlp, tmp_path / "x.onnx")

    assert_equal(serve(OnnxFile(tmp_path / "x.onnx")))


def test_the_digest_is_not_of_names(mlp_file):
    before = OnnxFile(mlp_file).digest

    assert OnnxFile(mlp_file.rename(mlp_file.with_name("other.onnx"))).digest == before


def test_a_constant_that_is_an_output_gets_an_axis(saved, serve):
    file = saved([("x", "float", [3])], PLUS_ONE, [("y", "float", [3]), ("one", "float", [])], ONE)

    served = serve(OnnxFile(file))

    assert_equal(served)
    assert sizes(served.graph) == {"x": [3], "y": [3], "one": [1]}


def test_a_table_without_rows_breaks_no_samples(saved):
    file = saved(
        [("ids", "int64", ["N", 6])],
        [("Gather", ["table", "ids"], ["y"])],
        [("y", "float", ["N", 6, 2])],
        {"table": np.zeros((0, 2), np.float32)},
    )

    assert set(OnnxFile(file).builtin_samples().columns["ids"].ravel().tolist()) == {0}


def test_a_graph_without_batch_axis_is_asked_one_sample_at_a_time(saved, tmp_path):
    source = OnnxFile(saved([("x", "float", [3])], PLUS_ONE, [("y", "float", [3])], ONE))
    samples = source.builtin_samples()
    converted = source.convert(tmp_path, samples)

    answers = Network(source, converted.graph).answer(samples)

    np.testing.assert_allclose(answers["y"], converted.reference["y"])


def test_an_initialiser_that_is_an_input_too_is_none(saved, serve):
    file = saved(
        [("x", "float", ["N", 3]), ("one", "float", [])], PLUS_ONE, [("y", "float", ["N", 3])], ONE
    )
    source = OnnxFile(file)

    assert [tensor.name for tensor in source._signature.inputs] == ["x"]
    assert_equal(serve(source))


def test_classes_are_compared_where_the_user_says_so(mlp_file):
    assert OnnxFile(mlp_file, comparison="classes").comparison == "classes"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"comparison": "classes", "judged": "best"}, r"'best' is TYPE_INT64 \[1\], but classes"),
        ({"judged": "worst"}, "no output 'worst'; it has scores, best"),
        ({"comparison": "ranks"}, "by values or classes, not by 'ranks'"),
    ],
)
def test_a_comparison_that_does_not_fit_is_refused(mlp_file, options, message):
    with pytest.raises(ConfigError, match=message):
        OnnxFile(mlp_file, **options)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"z": np.zeros((2, 4))}, "no column 'x'; the model's inputs are 'x'"),
        ({"x": np.zeros((2, 5))}, r"samples of shape \[5\], but the model's input is \[4\]"),
        ({"x": np.zeros(2)}, r"samples of shape \[\], but the model's input is \[4\]"),
        ({"x": np.array([["a"] * 4] * 2)}, "must hold numbers of type float32"),
    ],
)
def test_samples_that_do_not_fit_are_refused(mlp_file, columns, message):
    with pytest.raises(ConfigError, match=message):
        OnnxFile(mlp_file).prepare(Samples(columns, "test"))


def test_numbers_that_an_input_cannot_hold_are_refused(saved):
    source = OnnxFile(
        saved([("x", "int64", ["N", 1])], [("Identity", ["x"], ["y"])], [("y", "int64", ["N", 1])])
    )

    with pytest.raises(ConfigError, match="holds values that its input's type, int64, cannot"):
        source.prepare(Samples({"x": np.array([[1.5]])}, "test"))


def test_a_sample_that_the_graph_cannot_answer_is_named(saved, serve):
    source = OnnxFile(
        saved(
            [("x", "int64", ["N", 1])],
            [("Gather", ["table", "x"], ["y"])],
            [("y", "float", ["N", 1])],
            {"table": np.zeros(3, np.float32)},
        )
    )

    with pytest.raises(ConfigError, match=r"sample 1 cannot be answered: .*out of"):
        serve(source, Samples({"x": np.array([[1], [7]])}, "test"))
