"""Projections of the log: what it has, decoded, and dead letters, which no projection could take."""
