"""``make stack``: exit code 1 when a chapter failed; 0 with a reason where no engine can be had."""

import argparse
import tempfile
import time
from pathlib import Path

from config.env import BASE_DIR
from tests.stack.engine import NoEngine, engine
from tests.stack.images import build_stand_ins
from tests.stack.scenario import CHAPTERS, Deployment


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stack", description=__doc__)
    parser.add_argument("--official", action="store_true", help="pull the images instead of building stand-ins")
    arguments = parser.parse_args()
    try:
        with engine():
            if not arguments.official:
                build_stand_ins(_say)
            return _run()
    except NoEngine as reason:
        print(f"skipped: {reason}")
        return 0


def _run() -> int:
    with tempfile.TemporaryDirectory(prefix="fg-stack-", ignore_cleanup_errors=True) as folder:
        deployment = Deployment(BASE_DIR, Path(folder), _say)
        try:
            for chapter in CHAPTERS:
                _say(f"--- {chapter.__name__.replace('_', ' ')}")
                chapter(deployment)
        except AssertionError as error:
            _say(f"FAILED: {error}")
            return 1
        finally:
            deployment.remove()
    _say("Every promise was kept.")
    return 0


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
