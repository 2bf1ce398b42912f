"""Hugging Face models that look at images."""
