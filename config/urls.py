"""All URLs that Django serves; the hot path answers some of them before they get here."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("gateway.urls")),
    path("", include("promotions.urls")),
]
