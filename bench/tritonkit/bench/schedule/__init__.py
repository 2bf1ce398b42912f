"""When requests are meant to start: pure and seeded."""
