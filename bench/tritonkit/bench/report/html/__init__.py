"""A report as one page that opens anywhere, with no other file."""
