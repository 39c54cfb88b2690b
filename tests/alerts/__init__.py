"""The alert drill: each fault is caused for real, and each alert seen to fire and to clear.

One machine: a devstack under load, and the real Prometheus, Alertmanager, exporters and Caddy beside it, with what
deploy/monitoring and deploy/caddy say. Only addresses and durations are others: minutes become seconds.
"""
