"""What is recorded of experiments: who met which arm, what it answered, what came of it."""
