"""Whether a model answers each row by itself."""
