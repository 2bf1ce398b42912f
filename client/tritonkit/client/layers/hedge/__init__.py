"""A second request where the first takes unusually long."""
