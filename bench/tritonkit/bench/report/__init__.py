"""Reports of measurements: a table for people, a document for programs."""
