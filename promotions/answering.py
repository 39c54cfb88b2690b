"""What promotions adds to a process that answers requests; imported once, when models are there."""

from common.stores.guarded import READ_STORE
from gateway.operate.health import MIGRATIONS_CHECK, WRITE_STORE_CHECK, register_group
from gateway.operate.metrics import register_collector
from promotions.metrics import pointer_metrics, promotions_metrics

register_collector(promotions_metrics)
register_collector(pointer_metrics, READ_STORE.name)
register_group("promotions", WRITE_STORE_CHECK, MIGRATIONS_CHECK)
