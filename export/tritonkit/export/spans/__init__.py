"""
Token classes to spans of text, as a model of Triton's Python backend.

`model.py` and `aggregate.py` are copied into the repository as they are. They run
in Triton's own Python, 3.10 in NVIDIA's container, without tritonkit.
"""
