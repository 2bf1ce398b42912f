"""model_metrics: the buckets of a model's histograms."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["metric_control_incomplete", "metric_not_customizable", "metrics_before_their_time"]

_FAMILIES = ("nv_inference_first_response_histogram_ms",)
"""Those whose buckets a model may set."""


@rule(
    "TK102",
    "metric-control-incomplete",
    Severity.ERROR,
    "a metric control that lacks a part",
    since="24.11",
)
def metric_control_incomplete(model: Subject) -> Iterator[Found]:
    """
    A metric_control names a family of metrics and the buckets of its histogram.

    Both are needed: metric_identifier with a family, histogram_options with buckets.
    """
    for index, control in enumerate(model.given.model_metrics.metric_control):
        path = ("model_metrics", "metric_control", index)
        lacks = []
        if not control.HasField("metric_identifier"):
            lacks.append(("metric_identifier", "metric control must specify 'metric_identifier'"))
        elif not control.metric_identifier.family:
            text = "metric identifier must specify non-empty 'family'"
            lacks.append(("metric_identifier.family", text))
        if not control.HasField("histogram_options"):
            lacks.append(("histogram_options", "metric control must specify 'histogram_options'"))
        elif not control.histogram_options.buckets:
            text = "histogram options must specify non-empty 'buckets'"
            lacks.append(("histogram_options.buckets", text))
        for field, text in lacks:
            yield Found(
                (*path, field.split(".")[0]) if "." in field else path,
                message=f"Metric control {index} has no {field}.",
                advice=f"Write {field}.",
                triton=text,
            )


@rule(
    "TK103",
    "metric-not-customizable",
    Severity.WARNING,
    "buckets for a metric that takes none",
    since="24.11",
)
def metric_not_customizable(model: Subject) -> Iterator[Found]:
    """
    Triton lets a model choose the buckets of its histograms, and of nothing else.

    For another family it says so in its log, and loads the model without it.
    """
    for index, control in enumerate(model.given.model_metrics.metric_control):
        family = control.metric_identifier.family
        if family and family not in _FAMILIES:
            yield Found(
                ("model_metrics", "metric_control", index, "metric_identifier", "family"),
                message=f"{family!r} is no metric whose buckets a model may choose.",
                advice=f"Use {', '.join(_FAMILIES)}, or leave the control out.",
                triton=f"Metric family '{family}' in 'metric_identifier' is not a customizable "
                "metric in Triton core.",
                value=family,
            )


@rule(
    "TK164",
    "metrics-before-their-time",
    Severity.ERROR,
    "model_metrics on a server that does not know them",
    until="24.11",
)
def metrics_before_their_time(model: Subject) -> Iterator[Found]:
    """
    model_metrics came with release 24.11.

    An older server cannot read a config.pbtxt with a field that it does not know, and
    does not load the model.
    """
    if model.given.HasField("model_metrics"):
        yield Found(
            ("model_metrics",),
            message=f"model_metrics is of release 24.11, and the server is {model.target.release}.",
            advice="Leave it out, or use a newer server.",
            triton='Message type "inference.ModelConfig" has no field named "model_metrics".',
        )
