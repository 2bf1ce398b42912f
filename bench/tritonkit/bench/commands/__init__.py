"""`tritonkit bench`, a file a command."""
