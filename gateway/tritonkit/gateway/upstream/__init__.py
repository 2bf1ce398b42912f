"""What goes on to a Triton as it came."""
