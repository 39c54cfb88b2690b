"""Addresses of rates that Django serves; ``hot.py`` has the others."""

from django.urls import path

from rates import api
from rates.batches import api as batches

urlpatterns = [
    path("rates", api.RatesView.as_view(), name="rates"),
    path("rates/batches", batches.BatchesView.as_view(), name="price-batches"),
    path("rates/batches/<int:batch_id>", batches.BatchView.as_view(), name="price-batch"),
    path("rates/batches/<int:batch_id>/cancel", batches.CancelBatchView.as_view(), name="cancel-price-batch"),
    path("rates/batches/<int:batch_id>/errors", batches.BatchErrorsView.as_view(), name="price-batch-errors"),
]
