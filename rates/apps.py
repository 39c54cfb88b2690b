from http import HTTPStatus

from django.apps import AppConfig

from gateway.problems import register_codes


class RatesConfig(AppConfig):
    name = "rates"

    def ready(self) -> None:
        register_codes(
            {
                "place-not-found": HTTPStatus.NOT_FOUND,
                "port-not-found": HTTPStatus.NOT_FOUND,
                "region-not-found": HTTPStatus.NOT_FOUND,
                "region-cycle": HTTPStatus.CONFLICT,
                "too-many-prices": HTTPStatus.UNPROCESSABLE_ENTITY,
            }
        )
