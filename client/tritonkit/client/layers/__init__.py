"""What can stand between a client and its transport."""
