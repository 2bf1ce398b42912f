"""What budgets remember: who spent how much, and when."""
