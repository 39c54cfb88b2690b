"""Rows of a promotions file: lines, their rules, and blocks of them as arrays. Knows no database."""
