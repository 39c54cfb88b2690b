"""Timestamps under attack: every id that was handed out is found, has one row, and no request has two effects."""
