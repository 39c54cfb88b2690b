"""What gateway adds to a process that answers requests; imported once, when models are there."""

from common.stores.guarded import TRUTH
from gateway import checks  # noqa: F401  (registers the system checks)
from gateway.keys import logins  # noqa: F401  (listens for logins)
from gateway.operate.health import register_stores
from gateway.operate.metrics import register_collector
from gateway.operate.watching import disk_metrics, heartbeat_metrics

register_stores()
register_collector(heartbeat_metrics, TRUTH.name)
register_collector(disk_metrics, "disk")
