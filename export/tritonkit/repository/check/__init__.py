"""Every mistake in a model repository, found before a server starts."""
