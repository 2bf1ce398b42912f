"""Image classifiers as a source: what is read, what is refused, what is answered."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from tritonkit.errors import ConfigError, ExportError
from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.hugging_face.hub import Snapshot
from tritonkit.export.sources.hugging_face.read import read_hugging_face
from tritonkit.export.sources.images.image_classifier import ImageClassifier
from tritonkit.repository import Tensor


@pytest.mark.parametrize("name", ["tiny-vit", "tiny-convnext"])
def test_the_graph_answers_as_transformers_does(converted, name):
    source, samples, made, finished = converted[name]

    answers = Network(source, finished).answer(samples)

    ours, theirs = (np.array(a["probabilities"]) for a in (answers, made.reference))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    best = [source.labels[n] for n in ours.argmax(axis=1)]
    assert [label.tolist() for label in answers["label"]] == [[name] for name in best]
    assert [label.tolist() for label in made.reference["label"]] == [[name] for name in best]


def test_classes_that_exclude_each_other_sum_to_one(converted):
    reference = converted["tiny-vit"][2].reference["probabilities"]

    np.testing.assert_allclose(np.sum(reference, axis=1), 1, atol=1e-6)


def test_classes_that_can_go_together_do_not_sum_to_one(converted):
    reference = converted["tiny-convnext"][2].reference["probabilities"]

    assert (np.abs(np.sum(reference, axis=1) - 1) > 0.1).all()


def test_samples_tell_classes_apart(converted):
    """Else agreement on them would mean nothing."""
    labels = {str(label[0]) for label in converted["tiny-convnext"][2].reference["label"]}

    assert len(labels) > 1


@pytest.mark.parametrize(("name", "classes"), [("tiny-vit", 5), ("tiny-convnext", 3)])
def test_sizes_are_written_into_the_graph(converted, name, classes):
    graph = onnx.load(converted[name][3]).graph
    sizes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }

    assert sizes == {
        "pixel_values": ["batch_size", 3, 32, 32],
        "label": ["batch_size", 1],
        "probabilities": ["batch_size", classes],
    }


def test_the_part_in_front_takes_image_files(vit):
    part = ImageClassifier.read(vit, path=str(vit)).before

    assert part.role == "image"
    assert part.inputs == (Tensor("image", "TYPE_STRING", (1,)),)
    assert part.outputs == (Tensor("pixel_values", "TYPE_FP32", (3, 32, 32)),)
    assert sorted(part.files) == ["model.py", "preprocess.py"]
    assert all(file.is_file() for file in part.files.values())


def test_what_is_read_from_a_folder(vit):
    source = ImageClassifier.read(vit, path="org/tiny-vit")

    assert (source.path, source.name) == ("org/tiny-vit", "tiny-vit")
    assert source.labels == ("cat", "dog", "éléphant", "鳥", "a fish")
    assert (source.role, source.comparison, source.judged) == (
        "classifier",
        "classes",
        "probabilities",
    )


def test_the_digest_holds_preprocessing(vit, folder):
    before = ImageClassifier.read(vit, path="")
    after = ImageClassifier.read(folder(processor={"resample": 3}), path="")

    assert before.digest != after.digest


def test_generated_images_are_the_same_each_time(vit):
    source = ImageClassifier.read(vit, path="")

    first, again = (source.builtin_samples().columns["image"].tolist() for _ in range(2))

    assert first == again
    assert len(set(first)) > 12


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("a size that is one number", {"size": 32}),
        ("no name of a processor", {"image_processor_type": ...}),
        (
            "a feature extractor",
            {"image_processor_type": ..., "feature_extractor_type": "ViTFeatureExtractor"},
        ),
        ("a fast processor", {"image_processor_type": "ViTImageProcessorFast"}),
        (
            "no flags",
            {"do_resize": ..., "do_rescale": ..., "do_normalize": ..., "rescale_factor": ...},
        ),
        ("one mean for all colours", {"image_mean": 0.5, "image_std": 0.5}),
    ],
)
def test_old_ways_to_say_the_same_are_understood(folder, vit, kind, changes):
    expected = ImageClassifier.read(vit, path="").preprocessor

    assert ImageClassifier.read(folder(processor=changes), path="").preprocessor == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"do_pad": True}, "export's preprocessing has no do_pad; false would work"),
        ({"do_flip_channel_order": True}, "has no do_flip_channel_order"),
        ({"image_processor_type": "LevitImageProcessor"}, "as LevitImageProcessor does; it knows"),
        ({"do_resize": False}, "images would come out in different sizes"),
        ({"do_resize": "yes"}, "do_resize must be true or false"),
        ({"size": {"longest_edge": 9}}, "size must be {height, width} or {shortest_edge}"),
        ({"size": {"height": 0, "width": 9}}, "size must be {height, width} or {shortest_edge}"),
        ({"size": ...}, "size must be .* but got None; AutoImageProcessor"),
        ({"size": {"shortest_edge": 32}}, "size must be height and width for ViT"),
        ({"image_mean": [0.5]}, "image_mean must be a number each for red, green and blue"),
        ({"image_std": [0.5, 0, 0.5]}, "image_std must be above 0"),
        ({"resample": ...}, "resample must be one of Pillow's filters, 0 to 5, but got None"),
        ({"resample": 9}, "resample must be one of Pillow's filters, 0 to 5, but got 9"),
        ({"rescale_factor": -1}, "rescale_factor must be above 0"),
        (
            {"image_processor_type": "ConvNextImageProcessor"},
            "size must be the shortest_edge for ConvNext",
        ),
        (
            {
                "image_processor_type": "CLIPImageProcessor",
                "size": {"shortest_edge": 9},
                "do_center_crop": False,
            },
            "images would come out in different sizes",
        ),
    ],
)
def test_settings_of_the_processor_that_are_refused(folder, changes, message):
    with pytest.raises(ConfigError, match=message):
        ImageClassifier.read(folder(processor=changes), path="")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architectures": ["ViTModel"]}, "ViTModel is no image classifier"),
        ({"architectures": ...}, "no architecture is no image classifier"),
        ({"auto_map": {"AutoModel": "x.Y"}}, "names code of its own"),
        ({"num_channels": 1}, "images have 3 channels, but the model takes 1"),
        ({"problem_type": "regression"}, "image classifiers, no regression"),
        ({"id2label": {"0": "a", "2": "b"}}, "must name classes from 0 on without a gap"),
    ],
)
def test_models_that_are_refused(folder, changes, message):
    with pytest.raises(ConfigError, match=message):
        ImageClassifier.read(folder(config=changes), path="")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("preprocessor_config.json", "is missing; AutoImageProcessor"),
        ("model.safetensors", "holds no weights"),
        ("config.json", "cannot be read"),
    ],
)
def test_files_that_are_missing_are_named(folder, name, message):
    made = folder()
    (made / name).unlink()

    with pytest.raises(ConfigError, match=message):
        ImageClassifier.read(made, path="")


def test_a_sample_that_is_no_image_is_named(vit, encode):
    source = ImageClassifier.read(vit, path="")
    images = np.array([encode(5, 5), b"broken"], object)

    with pytest.raises(ConfigError, match=r"^sample 1: these 6 bytes are no JPEG"):
        source.prepare(Samples({"image": images}, "test"))


def test_samples_without_images_are_refused(vit):
    source = ImageClassifier.read(vit, path="")

    with pytest.raises(ConfigError, match="no column 'image'"):
        source.prepare(Samples({"text": np.array(["a"])}, "test"))


def test_other_pixels_than_transformers_makes_stop_the_conversion(vit, tmp_path):
    source = ImageClassifier.read(vit, path="somewhere")
    other = replace(source.preprocessor, mean=(0.4,) * 3)

    with pytest.raises(
        ExportError,
        match=r"(?s)^somewhere could not be converted.*pixels differ from transformers' by up to",
    ):
        replace(source, preprocessor=other).convert(tmp_path, source.builtin_samples())


def test_a_class_alone_has_a_probability_of_its_own(folder):
    made = folder(config={"id2label": {"0": "cat"}, "problem_type": ...})

    assert ImageClassifier.read(made).activation == "sigmoid"


@pytest.mark.parametrize("ending", ["ForImageClassification", "ForImageClassificationWithTeacher"])
def test_the_architecture_tells_that_it_is_an_image_model(folder, ending):
    made = folder(config={"architectures": [f"DeiT{ending}"]})

    assert isinstance(read_hugging_face(str(made)), ImageClassifier)


def test_the_commit_on_the_hub_is_noted(vit, monkeypatch):
    monkeypatch.setattr(
        "tritonkit.export.sources.hugging_face.read.fetch_snapshot",
        lambda _: Snapshot(vit, "c0ffee"),
    )

    source = read_hugging_face("owner/tiny")

    assert isinstance(source, ImageClassifier)
    assert (source.path, source.revision) == ("owner/tiny", "c0ffee")
    assert source.notes == ("commit c0ffee of the hub",)
    assert ImageClassifier.read(vit).notes == ()
