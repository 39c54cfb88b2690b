"""The way of a request through a process: HTTP/1.1, the ASGI application, the hot path, the bridge to Django."""
