"""Which versions of a model are served, were served, and are no longer needed."""
