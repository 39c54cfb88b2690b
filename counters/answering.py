"""What counters adds to a process that answers requests; imported once, when models are there."""

from common.stores import TRUTH
from counters.health import staleness_seconds
from counters.metrics import buffer_metrics, flush_metrics
from gateway.health import TRUTH_CHECK, register_check, register_group
from gateway.metrics import register_collector

register_collector(buffer_metrics, TRUTH.name)
register_collector(flush_metrics)
register_check("counters:staleness", staleness_seconds, required=False)
register_group("counters", TRUTH_CHECK)
