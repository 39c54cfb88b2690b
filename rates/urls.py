"""Addresses of rates that Django serves; ``hot.py`` has the others."""

from django.urls import path

from rates import api

urlpatterns = [
    path("rates", api.RatesView.as_view(), name="rates"),
]
