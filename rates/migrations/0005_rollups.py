"""Rollups follow TRUNCATE too, and what they are to be is stated once."""

from pathlib import Path

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rates", "0004_prune_batches")]

    operations = [migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
