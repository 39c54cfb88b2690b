"""Beat's scheduler, in a process with beat's settings: this one has others, which cannot be changed any more."""

import json
import os
import subprocess
import sys

from config.env import BASE_DIR

SCRIPT = """
import json, sys, time
from config import beatprocess

now, sent, waits = 100.0, [], []
time.monotonic = lambda: now
app = beatprocess.app
scheduler = beatprocess.Scheduler(app, lazy=True)
scheduler.data = {}
app.conf.beat_schedule = {
    "fast": {"task": "fast", "schedule": 0.5, "options": {"queue": "a"}},
    "slow": {"task": "slow", "schedule": 2.0, "options": {"queue": "b"}},
}
scheduler.setup_schedule()
scheduler.producer = None
scheduler.apply_entry = lambda entry, producer: sent.append((now, entry.name))

for _ in range(7):
    waits.append(wait := scheduler.tick())
    now += wait
now += 45.0  # the broker was away, and the loop waited for it
for _ in range(3):
    waits.append(wait := scheduler.tick())
    now += wait
loaded = {"counters.models", "promotions.steps.importing", "rates.models", "django.contrib.auth"} & set(sys.modules)
print(json.dumps([sent, waits, sorted(loaded)]))
"""


def run() -> tuple[list[tuple[float, str]], list[float], list[str]]:
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=BASE_DIR, env=environment, capture_output=True, text=True, check=True)
    sent, waits, modules = json.loads(done.stdout)
    return [(instant, name) for instant, name in sent], waits, modules


def test_each_entry_is_sent_at_its_pace_and_nothing_missed_is_made_up_for() -> None:
    sent, waits, modules = run()
    on_time = [100.0, 100.5, 100.5, 101.0, 101.5, 102.0, 102.5]
    assert [instant for instant, _ in sent[:7]] == on_time
    assert [name for _, name in sent[:7]] == ["fast", "fast", "slow", "fast", "fast", "fast", "fast"]
    assert waits[:7] == [0.5, 0.0, 0.5, 0.5, 0.5, 0.5, 0.0]
    late = [name for _, name in sent[7:9]]
    assert sorted(late) == ["fast", "slow"]
    assert [name for _, name in sent[9:]] == ["fast"]
    assert modules == []
