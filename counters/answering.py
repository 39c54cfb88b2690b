"""What counters adds to a process that answers requests; imported once, when models are there."""

from common.stores.guarded import TRUTH
from counters.health import staleness_seconds
from counters.metrics import buffer_metrics, flush_metrics
from gateway.operate.health import TRUTH_CHECK, register_check, register_group
from gateway.operate.metrics import register_collector

register_collector(buffer_metrics, TRUTH.name)
register_collector(flush_metrics)
register_check("counters:staleness", staleness_seconds, required=False)
register_group("counters", TRUTH_CHECK)
