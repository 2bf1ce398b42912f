"""Reading tritonserver's log; every line here was written by tritonserver 2.51.0."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tritonkit.server import log

PARSE_ERROR = """\
[libprotobuf ERROR /tmp/tritonbuild/protobuf/text_format.cc:337] Error parsing text-format \
inference.ModelConfig: 3:17: Expected integer, got: banana
E1123 21:09:04.344590 11217 model_repository_manager.cc:1460] "Poll failed for model directory \
'bad': failed to read text proto from /models/bad/config.pbtxt"
"""
LOAD_FAILED = """\
E1123 21:09:04.3 1 model_lifecycle.cc:642] "failed to load 'bad' version 1: Internal: \
TritonModelException: onnx runtime error 7: Protobuf parsing failed.\\n\\nAt:\\n  \
/tmp/x/backends/onnxruntime/backend.py(50): auto_complete_config\\n"
"""
RAISED = """\
E1123 21:16:26.221747 21078 model_lifecycle.cc:642] "failed to load 'bad' version 1: Internal: \
ValueError: weights.bin\\nis missing\\n\\nAt:\\n  /models/bad/1/model.py(3): load\\n  \
/models/bad/1/model.py(9): initialize\\n"
"""
NO_VERSION = """\
E1123 21:09:04.344590 11217 model_repository_manager.cc:724] "failed to load model 'bad': at \
least one version must be available under the version policy of model 'bad'"
"""
ENSEMBLE = """\
E1123 21:10:16.323773 12913 model_repository_manager.cc:703] "Invalid argument: ensemble e \
contains models that are not available or ambiguous: nope"
"""
CIRCLE = """\
E1123 21:09:04.340143 11217 server.cc:241] "CudaDriverHelper has not been initialized."
E1123 21:10:16.323773 12913 model_repository_manager.cc:703] "Invalid argument: circular \
dependency between ensembles: e -> ... -> f -> e"
"""
LOADED = """I1123 20:54:25.739124 28791 model_lifecycle.cc:839] "successfully loaded 'm'"\n"""
TAKEN = """\
I1123 20:59:38.398317 2081 http_server.cc:4713] "Started HTTPService at 127.0.0.1:46049"
E1123 20:59:38.439685 2081 main.cc:257] "failed to start HTTP service: Unavailable - Socket \
'127.0.0.1:46049' already in use "
"""
UNKNOWN_ARGUMENT = """\
/x/tritonserver: unrecognized option '--nope'
Usage: tritonserver [options]
  --help
        Print usage
"""


def test_a_config_that_does_not_parse_is_told_with_line_and_column():
    assert log.failures(PARSE_ERROR) == {
        "bad": "failed to read text proto from /models/bad/config.pbtxt "
        "(3:17: Expected integer, got: banana)"
    }


def test_a_python_model_that_raises_is_told_with_its_line():
    assert log.failures(RAISED) == {
        "bad": "ValueError: weights.bin is missing (/models/bad/1/model.py:3)"
    }


def test_a_model_that_a_backend_refuses_is_told_without_the_line_of_the_backend():
    assert log.failures(LOAD_FAILED) == {"bad": "onnx runtime error 7: Protobuf parsing failed."}


def test_a_model_without_a_version():
    assert log.failures(NO_VERSION) == {
        "bad": "at least one version must be available under the version policy of model 'bad'"
    }


def test_an_ensemble_of_unknown_models():
    assert log.failures(ENSEMBLE) == {
        "e": "ensemble e contains models that are not available or ambiguous: nope"
    }


def test_what_names_no_single_model_is_still_found():
    assert log.failures(CIRCLE) == {}
    assert log.repository_errors(CIRCLE) == (
        "circular dependency between ensembles: e -> ... -> f -> e"
    )


def test_several_failures_in_one_log():
    assert log.failures(PARSE_ERROR + LOADED + ENSEMBLE).keys() == {"bad", "e"}


def test_a_lost_port_is_not_taken_for_readiness():
    assert log.lost_port(TAKEN)
    assert not log.lost_port(LOADED + LOAD_FAILED)


def test_progress_is_told_of_models_alone():
    lines = (LOADED + NO_VERSION + ENSEMBLE + TAKEN).splitlines()

    assert [said for said in map(log.progress, lines) if said] == [
        "loaded m",
        "could not load bad",
        "could not load e",
    ]


def test_the_headline_is_the_last_error():
    assert log.headline(LOADED + TAKEN + LOADED).startswith("failed to start HTTP service")


def test_the_headline_of_a_manual_is_what_stands_before_it():
    assert log.is_manual(UNKNOWN_ARGUMENT)
    assert log.headline(UNKNOWN_ARGUMENT).endswith("unrecognized option '--nope'")


def test_the_headline_of_silence():
    assert log.headline("\n") == "it wrote nothing"


def test_the_tail_is_the_last_lines(tmp_path: Path):
    path = tmp_path / "log"
    path.write_text("".join(f"{n}\n" for n in range(50)))

    assert log.tail(path, 2) == "48\n49\n"
    assert log.tail(tmp_path / "none") == ""


@given(st.lists(st.binary(max_size=20), max_size=20), st.randoms(use_true_random=False))
def test_following_gives_each_whole_line_once(tmp_path_factory, lines, random):
    """Wherever the writer pauses, the reader sees the same lines in the end."""
    data = b"".join(line.replace(b"\n", b"").replace(b"\r", b"") + b"\n" for line in lines)
    path = tmp_path_factory.mktemp("log") / "log"
    path.touch()
    follower = log.Follower(path)
    seen: list[str] = []
    at = 0
    while at < len(data):
        size = random.randint(1, 15)
        with path.open("ab") as file:
            file.write(data[at : at + size])
        at += size
        seen += follower.lines()

    assert seen == data.decode("utf-8", errors="replace").splitlines()
