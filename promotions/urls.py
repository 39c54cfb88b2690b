"""Addresses of promotions that people and jobs use; ``hot.py`` has the others."""

from django.urls import path

from promotions import api

urlpatterns = [
    path("process-csv", api.ProcessCsvView.as_view(), name="process-csv"),
    path("imports", api.ImportListView.as_view(), name="imports"),
    path("imports/<int:import_id>", api.ImportView.as_view(), name="import"),
    path("imports/<int:import_id>/cancel", api.CancelImportView.as_view(), name="cancel-import"),
    path("imports/<int:import_id>/rejects", api.RejectsView.as_view(), name="import-rejects"),
    path("promotions/versions", api.VersionListView.as_view(), name="versions"),
    path("promotions/versions/<int:number>/activate", api.ActivateVersionView.as_view(), name="activate-version"),
]
