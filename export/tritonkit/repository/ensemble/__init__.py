"""Ensembles: built, judged and drawn."""
