"""First answers, which take longer than others, before anybody waits for one."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from http.client import HTTPException

from tritonkit.client import Client
from tritonkit.client.wire.address import Address
from tritonkit.gateway.demo.gateway import open_here

__all__ = ["warm_gateway", "warm_models"]

_SIZES = (1, 32, 8, 1)
"""Texts of the requests to each model, about as the traffic has them."""

_TIMEOUT = 30.0


def warm_models(urls: Iterable[str], models: Iterable[str], texts: Sequence[str]) -> None:
    """
    Ask each model on each server, with nothing in between.

    Args:
        urls: Of the Tritons.
        models: That are asked.
        texts: At least as many as there are in the largest request.
    """
    asked = tuple(models)
    for url in urls:
        with Client(url) as client:
            for model in asked:
                for size in _SIZES:
                    client.infer(model, {"text": [[text] for text in texts[:size]]})


def warm_gateway(address: Address, model: str, texts: Iterable[str]) -> None:
    """
    Ask the gateway once for each text, each time as another user and on a new connection.

    So each worker has looked up the models, and reached Redis and the ledger. What is
    refused is not asked again: the traffic finds out.

    Args:
        address: Of the gateway.
        model: That is asked.
        texts: The first of the traffic, which are in the cache then.
    """
    url = f"http://{address.authority}/v2/models/{model}/infer"
    for user, text in enumerate(texts):
        body = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1, 1], "data": [text]}]}
        headers = {"Content-Type": "application/json", "X-Tritonkit-Tags": f"user=u{user}"}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        try:
            with open_here(request, timeout=_TIMEOUT) as reply:
                reply.read()
        except urllib.error.HTTPError as refusal:
            refusal.close()
        except (OSError, HTTPException):
            continue
