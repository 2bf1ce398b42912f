"""What requests hold, and which of them is sent when."""
