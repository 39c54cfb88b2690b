"""What every request passes: hot path, batcher, WSGI bridge, correlation id, problem+json, health,
metrics, console page.
"""
