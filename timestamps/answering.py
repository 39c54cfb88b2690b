"""What timestamps adds to a process that answers requests; imported once, when models are there."""

from common.stores.guarded import TRUTH
from gateway.operate.health import TRUTH_CHECK, register_check, register_group
from gateway.operate.metrics import register_collector
from timestamps import checks  # noqa: F401  (registers the system check)
from timestamps.health import lag_seconds, require_open_log
from timestamps.metrics import archive_metrics, log_metrics, records_metrics

register_collector(log_metrics, TRUTH.name)
register_collector(archive_metrics, "archive")
register_collector(records_metrics)
register_check("timestamps:lag", lag_seconds, required=False)
register_check("timestamps:log", require_open_log, required=False)
register_group("timestamps", TRUTH_CHECK, "timestamps:log")
