from http import HTTPStatus

from django.apps import AppConfig

from gateway.health import TRUTH, register_check, register_group
from gateway.metrics import register_collector
from gateway.problems import register_codes


class CountersConfig(AppConfig):
    name = "counters"

    def ready(self) -> None:
        from counters.health import staleness_seconds
        from counters.metrics import counters_metrics  # models are there only now

        register_collector(counters_metrics)
        register_check("counters:staleness", staleness_seconds, required=False)
        register_group("counters", TRUTH)
        register_codes(
            {
                "too-many-increments": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "backlog-full": HTTPStatus.SERVICE_UNAVAILABLE,
                "too-many-marks": HTTPStatus.SERVICE_UNAVAILABLE,
                "counter-full": HTTPStatus.SERVICE_UNAVAILABLE,
                "counters-stale": HTTPStatus.SERVICE_UNAVAILABLE,
            }
        )
