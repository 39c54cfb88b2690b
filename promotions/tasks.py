"""Celery's door: each task is one call. All may run twice or be killed anywhere."""

from celery import shared_task

from promotions.importing import work_on_imports
from promotions.retention import drop_unused_tables


@shared_task(name="promotions.work_on_imports")
def work_on_imports_task() -> None:
    work_on_imports()


@shared_task(name="promotions.drop_old_versions")
def drop_old_versions_task() -> None:
    drop_unused_tables()
