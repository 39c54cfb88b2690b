"""Background work, declared once: from an app's ``jobs.py`` come tasks, beat's schedule, wake-ups and watchdogs.

Work is a row before it is a message, so each of these may be lost: it costs the time until the next one.
"""
