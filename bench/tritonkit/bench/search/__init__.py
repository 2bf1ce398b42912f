"""The best configuration for a latency target, from few measurements."""
