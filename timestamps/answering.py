"""What timestamps adds to a process that answers requests; imported once, when models are there."""

from http import HTTPStatus

from common.stores import TRUTH
from gateway.health import TRUTH_CHECK, register_check, register_group
from gateway.metrics import register_collector
from gateway.problems import register_codes
from timestamps import checks  # noqa: F401  (registers the system check)
from timestamps.health import lag_seconds, require_open_log
from timestamps.metrics import archive_metrics, log_metrics, records_metrics

register_collector(log_metrics, TRUTH.name)
register_collector(archive_metrics, "archive")
register_collector(records_metrics)
register_check("timestamps:lag", lag_seconds, required=False)
register_check("timestamps:log", require_open_log, required=False)
register_group("timestamps", TRUTH_CHECK, "timestamps:log")
register_codes(
    {
        "too-many-timestamps": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "backlog-full": HTTPStatus.SERVICE_UNAVAILABLE,
        "log-not-open": HTTPStatus.SERVICE_UNAVAILABLE,
        "too-many-marks": HTTPStatus.SERVICE_UNAVAILABLE,
        "rebuilding": HTTPStatus.SERVICE_UNAVAILABLE,
        "timestamps-late": HTTPStatus.SERVICE_UNAVAILABLE,
        "archive-unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
        "archive-is-broken": HTTPStatus.SERVICE_UNAVAILABLE,
        "no-live-table": HTTPStatus.SERVICE_UNAVAILABLE,
        "replay-refused": HTTPStatus.CONFLICT,
        "broken-entry": HTTPStatus.UNPROCESSABLE_ENTITY,
        "table-is-broken": HTTPStatus.SERVICE_UNAVAILABLE,
    }
)
