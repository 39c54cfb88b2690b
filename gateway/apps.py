from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "gateway"

    def ready(self) -> None:
        from gateway import checks, logins  # noqa: F401  (registers the system checks, and listens for logins)
        from gateway.health import register_stores

        register_stores()
