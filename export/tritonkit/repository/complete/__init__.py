"""What Triton runs with: a configuration as it stands, and what a server fills in."""
