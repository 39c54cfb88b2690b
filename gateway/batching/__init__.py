"""Concurrent requests become one list for a bulk function, on threads apart by store."""
