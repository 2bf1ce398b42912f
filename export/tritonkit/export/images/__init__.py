"""
Image preprocessing as a model of Triton's Python backend.

`model.py` and `preprocess.py` are copied into the repository as they are. They run
in Triton's own Python, 3.10 in NVIDIA's container, without tritonkit.
"""
