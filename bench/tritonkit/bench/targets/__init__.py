"""What is measured: a bare Triton over HTTP or gRPC, or a stack of layers in front of one."""
