"""Shapes of requests and answers about imports and versions."""

from typing import Any

from rest_framework import serializers

from promotions.models import ImportStatus


class SubmittedSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    status = serializers.ChoiceField(ImportStatus.choices)
    status_url = serializers.URLField()


class ImportSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    status = serializers.ChoiceField(ImportStatus.choices)
    filename = serializers.CharField(source="source")
    sha256 = serializers.CharField(allow_null=True)
    bytes_total = serializers.IntegerField()
    bytes_done = serializers.IntegerField()
    rows_loaded = serializers.IntegerField()
    rows_rejected = serializers.IntegerField()
    rows_duplicate = serializers.IntegerField()
    rows_blank = serializers.IntegerField()
    rows_per_second = serializers.IntegerField(allow_null=True)
    eta_seconds = serializers.IntegerField(allow_null=True)
    reject_reasons = serializers.DictField(child=serializers.IntegerField())
    version = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class VersionSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(source="number")
    import_id = serializers.IntegerField(source="source_import_id")
    rows = serializers.IntegerField(source="row_count")
    created_at = serializers.DateTimeField()
    is_live = serializers.SerializerMethodField()
    is_dropped = serializers.SerializerMethodField()

    def get_is_live(self, version: Any) -> bool:
        return version.retired_at is None and not version.publications.filter(delivered_at=None).exists()

    def get_is_dropped(self, version: Any) -> bool:
        return version.dropped_at is not None
