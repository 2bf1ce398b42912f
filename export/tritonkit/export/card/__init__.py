"""The evidence beside a model."""
