"""Embedded PostgreSQL and Valkeys supervised, for ``make run`` and ``make test``; production never imports it."""
