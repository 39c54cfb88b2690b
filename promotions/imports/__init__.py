"""Imports as people and readers of reports know them: taken in, where they stand, what was rejected."""
