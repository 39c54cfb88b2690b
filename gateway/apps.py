from django.apps import AppConfig

from common.stores import TRUTH


class GatewayConfig(AppConfig):
    name = "gateway"

    def ready(self) -> None:
        from gateway import checks, logins  # noqa: F401  (registers the system checks, and listens for logins)
        from gateway.health import register_stores
        from gateway.metrics import register_collector
        from gateway.watching import disk_metrics, heartbeat_metrics

        register_stores()
        register_collector(heartbeat_metrics, TRUTH.name)
        register_collector(disk_metrics, "disk")
