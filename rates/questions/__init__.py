"""Averages per day: questions, how their days are searched, and answers."""
