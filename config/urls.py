"""All URLs that Django serves; the hot path answers some of them before they get here."""

from django.contrib import admin
from django.urls import include, path

from gateway.views.drf import hot_urlpatterns

urlpatterns = [
    path("admin/rates/", include("rates.chart.urls")),  # before the admin, which answers 404 for what it does not know
    path("admin/", admin.site.urls),
    path("", include("gateway.urls")),
    path("", include("promotions.urls")),
    path("", include("vouchers.urls")),
    path("", include("rates.urls")),
    *hot_urlpatterns(),
]

handler400 = "gateway.contract.problems.bad_request"
handler403 = "gateway.contract.problems.permission_denied"
handler404 = "gateway.contract.problems.page_not_found"
handler500 = "gateway.contract.problems.server_error"
