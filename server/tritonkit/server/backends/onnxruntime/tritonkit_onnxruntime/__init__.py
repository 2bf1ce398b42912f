"""
NVIDIA's onnxruntime backend on CPU, rewritten for Triton's Python backend.

Everything but `backend` is free of Triton. The error texts are those of
triton-inference-server/onnxruntime_backend and triton-inference-server/backend,
misspellings included, so that a message found here is found on the web.
"""
