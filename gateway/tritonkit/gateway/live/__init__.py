"""What the live page shows, and what it lets one do."""
