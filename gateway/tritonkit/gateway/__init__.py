"""Triton's own HTTP protocol in front of Tritons, with a policy's layers inside and a live page."""
