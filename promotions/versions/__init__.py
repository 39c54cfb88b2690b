"""Versions: made live and rolled back, carried to the read store, dropped."""
