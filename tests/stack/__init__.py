"""``make stack``: docker-compose.yml on a real engine, by docs/operations.md."""
