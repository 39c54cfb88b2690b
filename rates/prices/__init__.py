"""Prices: added one by one or from files, converted to USD, and the proof of their rollups."""
