"""Exchange rates: where they come from, what is believed, and the table that conversions read.

Providers are asked by a command or by beat, never by a request. ``rates/prices/currencies.py`` converts.
"""
