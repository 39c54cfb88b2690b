"""The log of timestamps: a stream, and the archive of what has left it."""
