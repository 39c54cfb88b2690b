from http import HTTPStatus

from django.apps import AppConfig

from gateway.problems import register_codes


class TimestampsConfig(AppConfig):
    name = "timestamps"

    def ready(self) -> None:
        register_codes(
            {
                "too-many-timestamps": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "log-full": HTTPStatus.SERVICE_UNAVAILABLE,
                "too-many-log-marks": HTTPStatus.SERVICE_UNAVAILABLE,
                "rebuilding": HTTPStatus.SERVICE_UNAVAILABLE,
                "timestamps-late": HTTPStatus.SERVICE_UNAVAILABLE,
                "broken-entry": HTTPStatus.UNPROCESSABLE_ENTITY,
                "table-is-broken": HTTPStatus.SERVICE_UNAVAILABLE,
            }
        )
