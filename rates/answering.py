"""What rates adds to a process that answers requests; imported once, when models are there."""

from gateway.operate.health import MIGRATIONS_CHECK, WRITE_STORE_CHECK, register_group
from gateway.operate.metrics import register_collector
from rates.batches.metrics import batch_metrics
from rates.exchange.metrics import exchange_metrics
from rates.metrics import rates_metrics

register_collector(rates_metrics)
register_collector(exchange_metrics)
register_collector(batch_metrics)
register_group("rates", WRITE_STORE_CHECK, MIGRATIONS_CHECK)
