"""``make dr-drill EVENTS=1000000``: exit code 1 when anything that was promised did not hold."""

import argparse
import os
import tempfile
from pathlib import Path

import django


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from tests.drill.scenario import run_drill  # which names a lease of the app

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fg-drill-") as folder:
        broken = run_drill(Path(folder) / "data", arguments.events, lambda text: print(text, flush=True))
    for promise in broken:
        print(f"BROKEN: {promise}")
    print("The drill failed." if broken else "Every promise was kept.")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
