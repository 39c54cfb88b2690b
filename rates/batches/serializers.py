"""Shapes of requests and answers about batches."""

from typing import Any

from rest_framework import serializers

from gateway.endpoints.shapes import described
from rates.models import BatchStatus
from rates.parsing import UPLOAD

BatchRowSerializer = described("BatchRow", UPLOAD)


class BatchSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    status = serializers.ChoiceField(BatchStatus.choices)
    rows_total = serializers.IntegerField()
    rows_applied = serializers.IntegerField()
    rows_rejected = serializers.IntegerField()
    progress = serializers.FloatField(help_text="Share of the rows that have their outcome.")
    eta_seconds = serializers.IntegerField(allow_null=True)
    deadline = serializers.DateTimeField(allow_null=True)
    deadline_met = serializers.BooleanField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
