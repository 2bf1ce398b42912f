"""What is a fault is one for the embedded server's parser, whose log is read for its words."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tritonkit.repository.text.document import Document
from tritonkit.server.testing import TritonServer

# A backend that no server has: what is parsed fails later, and in other words.
BACKEND = 'backend: "none"\n'
FLOAT = "sequence_batching { direct { minimum_slot_utilization: %s } }"

TAKEN = [
    "",
    "max_batch_size: 0\nmax_batch_size: 8\n",
    "max_batch_size: 010 # octal\n",
    "max_batch_size: 0x10",
    "max_batch_size: 00",
    "max_batch_size:\v1\f\r\n",
    "input { dims: -9223372036854775808 }",
    'input { name: "a" data_type: 11 dims: 1 }',
    'input { name: "a" data_type: 99 dims: 1 }',
    'input { name: "a" data_type: -1 dims: 1 }',
    'input [ { name: "a" }, { name: "b" } ]',
    'input: [ { name: "a" } ]; output [ ] , output < name: "b"; > ',
    "input { dims: [] dims: 1, dims: [ 1, 2 ]; reshape: { shape: [ ] } }",
    "input { optional: True } input { optional: t } input { optional: 0x1 } input { optional: 00 }",
    "parameters { }",
    "parameters [ { value: { string_value: 'x' } key: 'b' }, { key: 'b' } ]",
    "default_model_filename: 'a' \"b\" # two are one",
    r"default_model_filename: 'a\u00e9\U0001F600\ud83d\ude00\x9\101\?'",
    r"default_model_filename: '\xff\ud800\U00110000'",
    FLOAT % "1F",
    FLOAT % ".5",
    FLOAT % "NaN",
    "dynamic_batching { max_queue_delay_microseconds: 18446744073709551615 }",
    "optimization { priority: 7 }",
    "optimization { priority: -2147483648 }",
    FLOAT % "0 minimum_slot_utilization: 1e-60 minimum_slot_utilization: 1",
    'cc_model_filenames [ { key: "7.5" value: "a" }, < key: "8.0"; > ]; # end',
    'name: ""',
    "max_batch_size: 8 # c",
    "sequence_batching { state { use_growable_memory: true } }",
]
REFUSED = [
    "max_batch_sise: 3",
    "\tmax_batch_siz: 3",
    "Input { }",
    "dims: 1",
    "max_batch_size: 8\nmax_batch_size: 8",
    "max_batch_size: 8 max_batch_size {}",
    "max_batch_size: 08",
    "max_batch_size: 1.0",
    "max_batch_size: 1e1",
    "max_batch_size: 99999999999",
    "max_batch_size: 99999999999999999999999",
    "max_batch_size: -2147483649",
    "max_batch_size: +1",
    'max_batch_size: "1"',
    "max_batch_size 1",
    "max_batch_size = 1",
    "max_batch_size: {}",
    "max_batch_size {}",
    "max_batch_size: [1]",
    "max_batch_size:",
    "max_batch_size: 1max_batch_size: 2",
    "max_batch_size:8input{}",
    "max_batch_size: 0x",
    "max_batch_size: 0x1g",
    "max_batch_size:\u00a01",
    "max_batch_size: \u00e9",
    "\u00e9: 1",
    "\0",
    "# \0",
    "platform: onnxruntime_onnx",
    "platform",
    "platform: 'a\n'",
    "platform: 'abc",
    r"platform: 'a\q'",
    r"platform: 'a\u00'",
    r"platform: 'a\x'",
    r"platform: 'a\X41'",
    "platform: -'a'",
    "\x7f",
    r"platform: 'a\U0012'",
    'input { name: "a" data_type: TYPE_FP33 }',
    'input { data_type: "TYPE_FP32" }',
    "input { data_type: type_fp32 dims: 1 }",
    "input { optional: TRUE }",
    "input { optional: 2 }",
    "input { optional: 'true' }",
    "input { optional: -0 }",
    "input { optional: name: 'a' }",
    "input { optional: t: 'a' }",
    "input { data_type: - }",
    "input { data_type: -2147483649 }",
    "input { data_type: dims: [ 1 ] }",
    "input { data_type: TYPE_FP32: [ 1 ] }",
    "input { data_type: inference.TYPE_FP32 }",
    "input [ { name: 'a' }, ]",
    "input [ { name: 'a' } { name: 'b' } ]",
    "input [ name: 'a' ]",
    "input [ { name: 'a' ]",
    "input < name: 'a' }",
    "input { name: 'a'",
    "input { name: 'a' }}",
    "input { name: 'a' output { }",
    "input { dims: [ 1, 2, ] }",
    "input { dims: [ 1 2 ] }",
    "input { dims: [ 1; 2 ] }",
    "input { dims [ 2 ] }",
    "input { dims: 1,; }",
    "input { dims: - }",
    "input { dims: [ -'1' ] }",
    "input { dims: [ --1 ] }",
    "input { dims: [ 1> }",
    "input { dims: [ 1 x 2 ] }",
    "input { dims: [ 1, name: 'a' ] }",
    "input { dims: [ name: 'a' ] }",
    "input { dims: [ 1,",
    "input { dims: [ }",
    "input [",
    "input [ { dims: 1 # end",
    "input { name:",
    "dynamic_batching { reshape",
    "input { dims: -9223372036854775809 }",
    "input: name: 'a'",
    "input: 1",
    "dynamic_batching {} dynamic_batching {}",
    "dynamic_batching {} sequence_batching {}",
    "dynamic_batching [ { } ]",
    "dynamic_batching { max_queue_delay_microseconds: -1 }",
    "dynamic_batching { max_queue_delay_microseconds: 100us }",
    "dynamic_batching { max_queue_delay_microseconds: 18446744073709551616 }",
    "model_warmup { inputs { key: 'a' value { zero_data: false random_data: true } } }",
    "parameters { key: 'a' value { } value { } }",
    "parameters { key: 'a' key: 'b' }",
    "parameters { key: '' key: 'b' }",
    "cc_model_filenames { key: 'a' value: '' value: 'b' }",
    "parameters { key: 'a' value: 'x' }",
    FLOAT % "0x1",
    FLOAT % "01",
    FLOAT % "inff",
    FLOAT % "1e",
    FLOAT % "1ef",
    FLOAT % "-",
    FLOAT % "NaNf",
    FLOAT % "-0.0 minimum_slot_utilization: 1",
    FLOAT % "1.2.3",
    FLOAT % "'1'",
    "[foo.bar]: 1",
    "[foo bar]: 1",
    "[foo.]: 1",
    "[foo: 1",
    "[foo.bar/x.y] { a: 1 }",
    "{}",
    "/* x */",
    "input " + "{ a " * 200,
    "ensemble_scheduling { max_inflight_requests: 1 }",
    "model_metrics { }",
]
_LOGGED = re.compile(r"Error parsing text-format inference\.ModelConfig: (.*)")
_MODEL = re.compile(r"model directory 'm(\d+)'")


def test_every_text(model_repository: Path, triton_server: TritonServer) -> None:
    texts = [BACKEND + text for text in [*TAKEN, *REFUSED]]
    server = triton_server(model_repository, model_control_mode="explicit")
    answers = []
    for number, text in enumerate(texts):
        (model_repository / f"m{number}" / "1").mkdir(parents=True)
        (model_repository / f"m{number}" / "config.pbtxt").write_text(text, newline="")
        request = Request(
            f"{server.http_url}/v2/repository/models/m{number}/load", b"{}", method="POST"
        )
        try:
            urlopen(request).close()
        except HTTPError as error:
            answers.append(error.read().decode(errors="replace"))
    assert server.log_path is not None
    logged = _logged(server.log_path.read_bytes().decode(errors="replace"))

    for number, (text, answer) in enumerate(zip(texts, answers, strict=True)):
        document = Document.parse(text, source="config.pbtxt", release=(24, 10))
        said = [fault.triton for fault in document.faults]
        assert bool(said) == ("failed to poll" in answer) == (number in logged), (text, answer)
        if said:
            # The first fault is what Triton stops at, or what its tokenizer says before.
            assert said[0].encode("ascii", "replace") in logged[number], text


def _logged(log: str) -> dict[int, list[bytes]]:
    """What Triton's parser said of each model."""
    found: dict[int, list[bytes]] = {}
    said: list[bytes] = []
    for line in log.split("\n"):
        if match := _LOGGED.search(line):
            said.append(match[1].encode("ascii", "replace"))
        elif (match := _MODEL.search(line)) and said:
            found[int(match[1])] = said
            said = []
    return found
