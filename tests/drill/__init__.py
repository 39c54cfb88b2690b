"""Disaster recovery of timestamps, practised: the database is lost twice, and every record must come back."""
