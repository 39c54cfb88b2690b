"""PostgreSQL and Valkey: connections, circuits, locks, statements and scripts."""
