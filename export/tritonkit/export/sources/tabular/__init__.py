"""Models of rows and columns: what those of every library share."""
