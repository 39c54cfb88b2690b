"""What a worker loads: the tasks of its queues, all of them, and nothing that answers requests."""

import json
import subprocess
import sys

import pytest

from config.env import BASE_DIR
from config.settings.celery import CELERY_BEAT_SCHEDULE

SCRIPT = """
import json, sys
from config import workerprocess

app = workerprocess.app
app.autodiscover_tasks(workerprocess._apps_of(sys.argv[1:]))
app.loader.import_default_modules()
app.finalize()
print(json.dumps([sorted(app.tasks), sorted(sys.modules)]))
"""
FOR_REQUESTS = {"rest_framework", "drf_spectacular", "unfold", "django.contrib.admin", "requests"}


@pytest.mark.parametrize("queue", ["imports", "flush", "batches", "events"])
def test_worker_has_the_tasks_of_its_queue_and_not_what_answers_requests(queue: str) -> None:
    command = [sys.executable, "-c", SCRIPT, queue]
    done = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True, check=True)
    tasks, modules = json.loads(done.stdout)
    wanted = {entry["task"] for entry in CELERY_BEAT_SCHEDULE.values() if entry["options"]["queue"] == queue}
    assert wanted <= set(tasks)
    assert not FOR_REQUESTS & set(modules)
    assert ("numpy" in modules) == (queue == "imports")
