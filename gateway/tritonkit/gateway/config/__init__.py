"""The `[gateway]` table of a policy file."""
