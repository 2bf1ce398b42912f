"""What custom resources look like, as far as docker/k8s uses them; nothing else may be there."""

from __future__ import annotations

from typing import Any


def _of(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": 1}


_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 0}
_DURATION = {"type": "string", "pattern": r"^(\d+(ms|s|m|h|d))+$"}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_ANYTHING = {"type": "object"}
_SELECTOR = _of({"matchLabels": _TEXTS})

_POD_MONITOR = _of(
    {
        "jobLabel": _TEXT,
        "selector": _SELECTOR,
        "podMetricsEndpoints": _list(
            _of(
                {"port": _TEXT, "path": {"type": "string", "pattern": "^/"}, "interval": _DURATION},
                authorization=_of(
                    {"type": {"const": "Bearer"}, "credentials": _of({"name": _TEXT, "key": _TEXT})}
                ),
            )
        ),
    }
)
_ALERT = _of(
    {"alert": _TEXT, "expr": _TEXT, "labels": _TEXTS, "annotations": _TEXTS},
    **{"for": _DURATION},
)
_RULES = _of(
    {
        "groups": _list(
            _of(
                {
                    "name": _TEXT,
                    "rules": _list({"anyOf": [_ALERT, _of({"record": _TEXT, "expr": _TEXT})]}),
                }
            )
        )
    }
)
_RUNTIME = _of(
    {
        "supportedModelFormats": _list(
            _of({"name": _TEXT}, version=_TEXT, autoSelect={"type": "boolean"}, priority=_COUNT)
        ),
        "protocolVersions": _list({"enum": ["v1", "v2", "grpc-v1", "grpc-v2"]}),
        "multiModel": {"type": "boolean"},
        # A pod's; test_kubernetes.py has Kubernetes' own schema for them.
        "containers": _list(_ANYTHING),
    },
    volumes=_list(_ANYTHING),
)
_INFERENCE_SERVICE = _of(
    {
        "predictor": _of(
            {
                "model": _of(
                    {"modelFormat": _of({"name": _TEXT}, version=_TEXT), "storageUri": _TEXT},
                    protocolVersion={"enum": ["v1", "v2", "grpc-v2"]},
                    runtime=_TEXT,
                    resources=_ANYTHING,
                )
            },
            minReplicas=_COUNT,
            maxReplicas=_COUNT,
        )
    }
)
_SCALED_OBJECT = _of(
    {
        "scaleTargetRef": _of({"name": _TEXT}),
        "triggers": _list(
            _of(
                {
                    "type": {"const": "prometheus"},
                    "metadata": _of({"serverAddress": _TEXT, "threshold": _TEXT, "query": _TEXT}),
                },
                metricType={"enum": ["AverageValue", "Value"]},
            )
        ),
    },
    minReplicaCount=_COUNT,
    maxReplicaCount=_COUNT,
    pollingInterval=_COUNT,
    cooldownPeriod=_COUNT,
)
_SPECS = {
    ("monitoring.coreos.com/v1", "PodMonitor"): _POD_MONITOR,
    ("monitoring.coreos.com/v1", "PrometheusRule"): _RULES,
    ("serving.kserve.io/v1alpha1", "ServingRuntime"): _RUNTIME,
    ("serving.kserve.io/v1beta1", "InferenceService"): _INFERENCE_SERVICE,
    ("keda.sh/v1alpha1", "ScaledObject"): _SCALED_OBJECT,
}
_METADATA = _of({"name": _TEXT}, namespace=_TEXT, labels=_TEXTS, annotations=_TEXTS)

CUSTOM = {
    (version, kind): _of(
        {
            "apiVersion": {"const": version},
            "kind": {"const": kind},
            "metadata": _METADATA,
            "spec": spec,
        }
    )
    for (version, kind), spec in _SPECS.items()
}
"""Schemas by API version and kind."""

KUSTOMIZATION = _of(
    {
        "apiVersion": {
            "enum": ["kustomize.config.k8s.io/v1beta1", "kustomize.config.k8s.io/v1alpha1"]
        },
        "kind": {"enum": ["Kustomization", "Component"]},
    },
    namespace=_TEXT,
    resources=_list(_TEXT),
    components=_list(_TEXT),
    configMapGenerator=_list(_of({"name": _TEXT, "files": _list(_TEXT)})),
    labels=_list(_of({"pairs": _TEXTS})),
    images=_list(_of({"name": _TEXT}, newName=_TEXT, newTag=_TEXT)),
    patches=_list(
        {
            "anyOf": [
                _of({"path": _TEXT}),
                _of({"patch": _TEXT, "target": _TEXTS}),
            ]
        }
    ),
)
