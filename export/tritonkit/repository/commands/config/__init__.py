"""`tritonkit config`: a configuration shown, drafted, converted and compared."""
