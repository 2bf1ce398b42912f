"""config.pbtxt as text: where each value stands, what is wrong with it, and edits of it."""
