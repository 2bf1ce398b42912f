"""No more in flight than the server bears; who waits, and who is turned away."""
