"""Keeping the live table up with the log, and how far it is behind."""
