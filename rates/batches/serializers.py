"""Shapes of requests and answers about batches."""

from typing import Any

from rest_framework import serializers

from rates.models import BatchStatus


class BatchRowSerializer(serializers.Serializer[Any]):
    """A row of a batch, for the API's description: bodies are read by ``bodies.py``."""

    date_from = serializers.DateField()
    date_to = serializers.DateField()
    origin_code = serializers.CharField()
    destination_code = serializers.CharField()
    price = serializers.DecimalField(max_digits=18, decimal_places=6, coerce_to_string=False)
    currency = serializers.CharField(required=False)


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
