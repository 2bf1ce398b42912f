"""A real tritonserver with models of every data type, and a real Redis."""
