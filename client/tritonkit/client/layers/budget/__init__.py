"""Limits on what requests may cost: quotas, prices, and the layer that holds them."""
