"""Hugging Face models that read texts, a file a task."""
