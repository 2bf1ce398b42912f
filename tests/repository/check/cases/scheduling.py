"""Cases of the rules on decoupled models, the rate limiter, metrics and parameters."""

from __future__ import annotations

from tests.repository.check.case import Case, Files
from tests.repository.check.cases.batching import TRAPS
from tests.repository.check.cases.sequence import STARTED
from tests.repository.check.models import DYNAMIC, graph_model, python_model

from tritonkit.repository.check.release import Release
from tritonkit.repository.check.target import Target

NEWER = Target(release=Release(24, 11))


def limited(name: str, is_global: str) -> Files:
    """A model with an instance that waits for the resource R."""
    config = (
        f'instance_group [{{ rate_limiter {{ resources [{{ name: "R" global: {is_global} }}] }} }}]'
    )
    return {path.replace("m/", f"{name}/", 1): text for path, text in python_model(config).items()}


CASES = [
    Case("TK061", fails=TRAPS, passes=DYNAMIC, at='"execution_env" value'),
    Case(
        "TK082",
        fails={
            "m/config.pbtxt": 'backend: "pytorch"\nmodel_transaction_policy { decoupled: true }',
            "m/1/model.pt": b"",
        },
        passes=DYNAMIC,
        says="HTTP end point doesn't support models with decoupled transaction policy",
        at="true }",
        unasked="the embedded server has no PyTorch",
    ),
    Case(
        "TK100",
        fails=TRAPS,
        passes=DYNAMIC,
        says='Resource "R" is present as both global and device-specific resource in the model '
        "configuration.",
        at='{ name: "R" global',
        unasked="it is started without --rate-limit",
    ),
    Case(
        "TK100",
        fails={**limited("m", "true"), **limited("n", "false")},
        passes={**limited("m", "true"), **limited("n", "true")},
        says='Resource "R" is present as both global and device-specific resource in the model '
        "configuration.",
        at='{ name: "R" global',
        unasked="it is started without --rate-limit",
        unasked_passes="it is started without --rate-limit",
    ),
    Case(
        "TK102",
        fails=python_model("model_metrics { metric_control { histogram_options { buckets: 1 } } }"),
        passes=DYNAMIC,
        says="metric control must specify 'metric_identifier'",
        at="metric_control",
        target=NEWER,
        unasked="it is of release 24.10, which has no model_metrics",
    ),
    Case(
        "TK103",
        fails=python_model(
            "model_metrics { metric_control {\n"
            '  metric_identifier { family: "nv_inference_count" }\n'
            "  histogram_options { buckets: 1 }\n} }"
        ),
        passes=DYNAMIC,
        says="Metric family 'nv_inference_count' in 'metric_identifier' is not a customizable "
        "metric in Triton core.",
        at='"nv_inference_count"',
        target=NEWER,
        unasked="it is of release 24.10, which has no model_metrics",
    ),
    Case(
        "TK164",
        fails=python_model("model_metrics { }"),
        passes=DYNAMIC,
        says='Message type "inference.ModelConfig" has no field named "model_metrics".',
        at="model_metrics",
    ),
    Case(
        "TK168",
        fails=python_model(
            'parameters { key: "FORCE_CPU_ONLY_INPUT_TENSORS" value { string_value: "true" } }\n'
        ),
        passes=DYNAMIC,
        says="Incorrect value for FORCE_CPU_ONLY_INPUT_TENSORS: true'",
        at='"true"',
    ),
    Case(
        "TK061",
        fails=graph_model('parameters { key: "intra_op_num_threads" value { string_value: "2" } }'),
        passes=STARTED,
        at='"intra_op_num_threads"',
        unasked="the server loads TRAPS, a warning of the same rule",
    ),
]
