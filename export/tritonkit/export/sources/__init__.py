"""What export converts, one file a kind."""
