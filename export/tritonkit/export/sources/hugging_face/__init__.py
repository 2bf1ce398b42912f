"""Folders of Hugging Face and models of its hub."""
