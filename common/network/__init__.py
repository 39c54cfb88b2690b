"""Other servers that we ask, and addresses."""
