"""Which arm of an experiment answers whom."""
