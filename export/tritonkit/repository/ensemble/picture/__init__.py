"""A model or an ensemble as a picture: mermaid, SVG, text."""
