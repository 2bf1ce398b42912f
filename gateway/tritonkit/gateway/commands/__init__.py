"""`tritonkit gateway` and `tritonkit demo`."""
