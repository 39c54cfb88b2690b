"""Regions and ports: the tree, names in requests, files and pages of it."""
