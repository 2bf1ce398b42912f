"""Unary gRPC calls over HTTP/2: as little of it as a load generator needs."""
