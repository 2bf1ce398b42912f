"""What the client adds to the command line, a file a command."""
