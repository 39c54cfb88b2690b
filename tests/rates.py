"""What tests about rates share: a few places, prices between them, and whole tables to compare."""

from datetime import date, timedelta
from decimal import Decimal

from django.db import connection

from rates.models import Port, Region

# Those whose tables the tests fill: fewer to empty after each.
APPS = ["rates", "gateway", "django.contrib.auth", "django.contrib.contenttypes"]
FIRST_DAY = date(2026, 1, 1)


def day(number: int) -> date:
    return FIRST_DAY + timedelta(days=number)


def region(slug: str, parent: Region | None = None) -> Region:
    return Region.objects.create(slug=slug, name=slug.title(), parent=parent)


def port(code: str, where: Region) -> Port:
    return Port.objects.create(code=code, name=code.title(), region=where)
