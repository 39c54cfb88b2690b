"""Admission control: refuses late-comers, and who tries codes, before they reach the database."""
