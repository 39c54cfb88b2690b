"""Rollups are added level by level."""

from pathlib import Path

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rates", "0007_pruned_totals")]

    operations = [migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
