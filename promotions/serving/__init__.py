"""What readers get: which version is live, the cache in front, and the read store."""
