"""Many points, some of which change the server's configuration and put it back."""
