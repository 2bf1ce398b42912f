"""Cheaper models in the space of a bigger one."""
