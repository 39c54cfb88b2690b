"""Small things that every app needs and that are not HTTP."""
