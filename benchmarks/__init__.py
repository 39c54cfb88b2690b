"""Whole-system measurements against the figures that the project promises: ``make bench``.

Every figure is a ratio to a reference that is measured in the same run on the same machine, load generator included.
"""
