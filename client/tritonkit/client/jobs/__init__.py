"""Requests whose answers are fetched later, from any process."""
