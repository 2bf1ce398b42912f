"""The graph of an ONNX file: what it takes and gives, read without its weights."""
