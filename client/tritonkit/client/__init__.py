"""
A client for NVIDIA Triton Inference Server: dict in, dict out, with layers in between.

    with Client("http://localhost:8000") as client:
        client.infer("embed", {"text": ["hello", "world"]})["embedding"]
"""

from tritonkit.client.client import AsyncClient, Client
from tritonkit.client.layers.cache.cache import Cache
from tritonkit.client.layers.coalesce.coalesce import Coalesce
from tritonkit.client.probing.probe import RowIndependence, probe_row_independence
from tritonkit.client.recordings.recording import KeyTrace
from tritonkit.client.route import Route
from tritonkit.client.signature import Signature, TensorSpec
from tritonkit.client.stack import Layer, Stack, Transport
from tritonkit.client.stores.memory import Memory
from tritonkit.client.stores.redis.redis import Redis
from tritonkit.client.stores.store import Entry, Store
from tritonkit.client.trace import Trace
from tritonkit.client.transports.http import HttpTransport
from tritonkit.client.types import InferRequest, InferResponse, Parameter, Service, Tensors

__all__ = [
    "AsyncClient",
    "Cache",
    "Client",
    "Coalesce",
    "Entry",
    "HttpTransport",
    "InferRequest",
    "InferResponse",
    "KeyTrace",
    "Layer",
    "Memory",
    "Parameter",
    "Redis",
    "Route",
    "RowIndependence",
    "Service",
    "Signature",
    "Stack",
    "Store",
    "TensorSpec",
    "Tensors",
    "Trace",
    "Transport",
    "probe_row_independence",
]
