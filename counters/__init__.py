"""Counters: increments that are on disk when they are answered, and in the database within ten seconds, exactly once.

They add up per key in Valkey, and a flush every two seconds moves the sums into PostgreSQL. A read adds both sides up,
so it is exact and never goes down. Whatever dies in between is finished later from where it was.
"""
