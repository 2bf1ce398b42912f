"""Concurrent small calls travel as one."""
