"""
KServe v2 over HTTP/1.1 with Triton's binary tensors: what the HTTP transport and the load
generator have in common.
"""
