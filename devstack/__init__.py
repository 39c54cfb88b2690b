"""Embedded PostgreSQL and Valkeys with a process supervisor, for ``make run`` and ``make test``. Production never imports it."""
