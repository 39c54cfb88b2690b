"""What rates adds to a process that answers requests; imported once, when models are there."""

from http import HTTPStatus

from gateway.health import MIGRATIONS_CHECK, WRITE_STORE_CHECK, register_group
from gateway.metrics import register_collector
from gateway.problems import register_codes
from rates.batches.metrics import batch_metrics
from rates.exchange.metrics import exchange_metrics
from rates.metrics import rates_metrics

register_collector(rates_metrics)
register_collector(exchange_metrics)
register_collector(batch_metrics)
register_group("rates", WRITE_STORE_CHECK, MIGRATIONS_CHECK)
register_codes(
    {
        "place-not-found": HTTPStatus.NOT_FOUND,
        "port-not-found": HTTPStatus.NOT_FOUND,
        "region-cycle": HTTPStatus.CONFLICT,
        "no-exchange-rate": HTTPStatus.UNPROCESSABLE_ENTITY,
        "rates-unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
        "rate-impossible": HTTPStatus.CONFLICT,
        "doubt-not-found": HTTPStatus.NOT_FOUND,
        "parent-not-found": HTTPStatus.NOT_FOUND,
        "comes-twice": HTTPStatus.CONFLICT,
        "imported-already": HTTPStatus.CONFLICT,
        "import-running": HTTPStatus.CONFLICT,
        "query-too-large": HTTPStatus.UNPROCESSABLE_ENTITY,
        "too-many-prices": HTTPStatus.UNPROCESSABLE_ENTITY,
        "batch-too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "deadline-unreachable": HTTPStatus.UNPROCESSABLE_ENTITY,
        "batch-not-found": HTTPStatus.NOT_FOUND,
        "batch-ended": HTTPStatus.CONFLICT,
        "batch-errors-gone": HTTPStatus.GONE,
    }
)
