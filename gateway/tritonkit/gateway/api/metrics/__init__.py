"""What Prometheus is told, of all workers together."""
