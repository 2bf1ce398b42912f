"""What becomes of requests, written down cheaply and summed up honestly."""
