"""A whole stack as a TOML file."""
