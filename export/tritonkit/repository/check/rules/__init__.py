"""The rules, a file a subject; the pages of docs/rules are made of them."""
