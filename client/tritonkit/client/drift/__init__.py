"""Whether live traffic still looks like a reference, and the model is still as good on it."""
