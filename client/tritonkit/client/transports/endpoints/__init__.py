"""Several servers as one: which is asked, which is left out, what they say together."""
