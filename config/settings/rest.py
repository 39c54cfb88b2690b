"""DRF and OpenAPI."""

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "gateway.views.negotiation.OneFormat",
    "DEFAULT_SCHEMA_CLASS": "gateway.views.openapi.AppSchema",
    "EXCEPTION_HANDLER": "gateway.contract.problems.drf_exception_handler",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": False,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Floodgate",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",  # from 3.1 on any scheme may name what it needs, as OAuth 2 does
    "DESCRIPTION": "Bulk writes with exact answers.",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "gateway.views.openapi.describe_refusals",
    ],
    "ENUM_NAME_OVERRIDES": {
        "IncrementStatus": ["added", "refused"],
        "ImportStatus": "promotions.models.ImportStatus",
        "GenerationStatus": "vouchers.models.GenerationStatus",
        "BatchStatus": "rates.models.BatchStatus",
        "WalletOrderKind": ["redemption", "reversal"],
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
