"""``make stack``: docs/operations.md word for word, on a real engine, with an exactness check after every fault."""
