"""The pages that every deployment has; each app adds its own."""

from csp.constants import SELF
from csp.decorators import csp_replace
from django.urls import path
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from gateway.operate.console import console

# Swagger's page has a style element of its own.
_strict = csp_replace({"script-src": [SELF]})

urlpatterns = [
    path("", csp_replace({"script-src": [SELF], "style-src": [SELF]})(console), name="console"),
    path("openapi.json", SpectacularAPIView.as_view(renderer_classes=[OpenApiJsonRenderer]), name="openapi"),
    path("docs", _strict(SpectacularSwaggerSplitView.as_view(url_name="openapi")), name="docs"),
]
