"""
The onnxruntime backend of the embedded server, as Triton finds it.

Triton imports this file as `model`, in a Python that has onnxruntime but not
tritonkit, with this folder at the end of its path. What it needs lies therefore
in the package beside it, under a name that no model's own file has.
"""

from tritonkit_onnxruntime.backend import TritonPythonModel  # type: ignore[import-not-found]

__all__ = ["TritonPythonModel"]
