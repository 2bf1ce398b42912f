"""Image classifiers on a real tritonserver, which answers image files."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tritonkit.client import Client
from tritonkit.errors import RequestError
from tritonkit.export.serving import served_models
from tritonkit.repository import write_models


@pytest.fixture(scope="module")
def served(converted, tmp_path_factory, triton_server_session):
    repository = tmp_path_factory.mktemp("served") / "model_repository"
    repository.mkdir()
    for name, (source, _, _, finished) in converted.items():
        models = served_models(source, finished, name=name, batch_invariant=True)
        write_models(repository, models)
    with Client(triton_server_session(repository).http_url) as client:
        yield client


@pytest.mark.parametrize("name", ["tiny-vit", "tiny-convnext"])
def test_the_server_answers_as_transformers_does(served, converted, name):
    source, samples, made, _ = converted[name]
    images = samples.columns["image"][:, np.newaxis]

    answers = [served.infer(name, {"image": images[n : n + 8]}) for n in range(0, len(images), 8)]

    probabilities = np.concatenate([answer["probabilities"] for answer in answers])
    labels = np.concatenate([answer["label"] for answer in answers])
    # With another Pillow than the server's they would differ by 1e-4: 13 resizes otherwise.
    np.testing.assert_allclose(probabilities, np.stack(made.reference["probabilities"]), atol=1e-6)
    best = [source.labels[n].encode() for n in probabilities.argmax(axis=1)]
    assert labels[:, 0].tolist() == best


def test_a_broken_image_fails_alone(served, converted):
    images = converted["tiny-vit"][1].columns["image"][:15]
    requests = [*images, b"broken"]

    def ask(content):
        try:
            return served.infer("tiny-vit", {"image": np.array([[content]], object)})
        except RequestError as error:
            return str(error)

    with ThreadPoolExecutor(len(requests)) as threads:
        *answers, refusal = threads.map(ask, requests)

    assert all(answer["probabilities"].shape == (1, 5) for answer in answers)
    assert "image 0: these 6 bytes are no JPEG, PNG or WebP image" in refusal
