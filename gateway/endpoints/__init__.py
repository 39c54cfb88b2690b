"""Which addresses there are: hot endpoints, how they are found, and those of Django."""
