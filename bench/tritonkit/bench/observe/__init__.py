"""What the server and the machine say of a run, beside what the load generator saw."""
