"""What promotions adds to a process that answers requests; imported once, when models are there."""

from http import HTTPStatus

from common.stores import READ_STORE
from gateway.health import MIGRATIONS_CHECK, WRITE_STORE_CHECK, register_group
from gateway.metrics import register_collector
from gateway.problems import register_codes
from promotions.metrics import pointer_metrics, promotions_metrics

register_collector(promotions_metrics)
register_collector(pointer_metrics, READ_STORE.name)
register_group("promotions", WRITE_STORE_CHECK, MIGRATIONS_CHECK)
register_codes(
    {
        "promotions-error": HTTPStatus.INTERNAL_SERVER_ERROR,
        "source-error": HTTPStatus.BAD_REQUEST,
        "source-not-found": HTTPStatus.NOT_FOUND,
        "source-forbidden": HTTPStatus.FORBIDDEN,
        "source-unreadable": HTTPStatus.BAD_REQUEST,
        "source-too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "source-changed": HTTPStatus.CONFLICT,
        "quarantined": HTTPStatus.CONFLICT,
        "workers-killed": HTTPStatus.INTERNAL_SERVER_ERROR,
        "import-not-found": HTTPStatus.NOT_FOUND,
        "import-finished": HTTPStatus.CONFLICT,
        "rejects-gone": HTTPStatus.GONE,
        "version-not-found": HTTPStatus.NOT_FOUND,
        "version-gone": HTTPStatus.CONFLICT,
    }
)
