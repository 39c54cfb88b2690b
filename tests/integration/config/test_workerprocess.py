"""What a worker loads: the tasks of its queues, all of them, and nothing that answers requests."""

import json
import os
import subprocess
import sys

import pytest

from config.env import BASE_DIR
from config.settings.celery import JOBS
from jobs.job import jobs_of

SCRIPT = """
import json, sys
from config import workerprocess

app = workerprocess.app
jobs = workerprocess.jobs_of(workerprocess.settings.JOBS, sys.argv[1:])
workerprocess.add_tasks(app, jobs)
app.loader.import_default_modules()
app.finalize()
for job in jobs:
    job.load()
print(json.dumps([sorted(app.tasks), sorted(sys.modules)]))
"""
# Tests have settings of their own, which would count.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
FOR_REQUESTS = {"rest_framework", "drf_spectacular", "unfold", "django.contrib.admin", "requests"}


@pytest.mark.parametrize("queue", ["imports", "flush", "batches", "events"])
def test_worker_has_the_tasks_of_its_queue_and_not_what_answers_requests(queue: str) -> None:
    command = [sys.executable, "-c", SCRIPT, queue]
    done = subprocess.run(command, cwd=BASE_DIR, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    tasks, modules = json.loads(done.stdout)
    assert {task for task in tasks if not task.startswith("celery.")} == {job.name for job in jobs_of(JOBS, [queue])}
    assert not FOR_REQUESTS & set(modules)
    assert ("numpy" in modules) == (queue == "imports")
