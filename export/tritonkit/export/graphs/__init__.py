"""Edits of ONNX graphs."""
