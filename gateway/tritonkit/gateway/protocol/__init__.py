"""KServe v2 as Triton speaks it over HTTP: bytes to requests, answers to bytes."""
