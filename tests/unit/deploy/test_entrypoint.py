"""deploy/entrypoint.sh, run natively with fakes of the commands that it hands over to."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
REQUIRED = {"SECRET_KEY": "s", "DATABASE_URL": "d", "VALKEY_URL": "v", "VALKEY_CACHE_URL": "c"}
FAKE = '#!/bin/sh\necho "${0##*/} $*"\n'


@pytest.fixture
def fakes(tmp_path: Path) -> Path:
    for name in ("gunicorn", "python"):
        (tmp_path / name).write_text(FAKE, encoding="ascii")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def _enter(fakes: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "deploy/entrypoint.sh", *arguments],
        env={"PATH": f"{fakes}:{os.defpath}", **environment},
        cwd=fakes,
        capture_output=True,
        text=True,
        timeout=10,
    )


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["web"], "gunicorn -c config/gunicorn.py config.asgi:application"),
        (
            ["worker", "imports"],
            "python -m config.celerycommand worker -Q imports -n imports@%h --concurrency 2 --loglevel INFO"
            " --without-gossip --without-mingle --without-heartbeat",
        ),
        (
            ["worker", "flush"],
            "python -m config.celerycommand worker -Q flush -n flush@%h --concurrency 2 --loglevel INFO"
            " --without-gossip --without-mingle --without-heartbeat",
        ),
        (["beat"], "python -m config.celerycommand beat --loglevel INFO --pidfile="),
        (["manage", "import_promotions", "a b.csv", "--wait"], "python manage.py import_promotions a b.csv --wait"),
    ],
)
def test_each_role_hands_over_to_its_command(fakes: Path, arguments: list[str], command: str) -> None:
    done = _enter(fakes, *arguments, **REQUIRED)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{command}\n", "")


def test_role_replaces_the_shell(fakes: Path) -> None:
    (fakes / "gunicorn").write_text("#!/bin/sh\necho $$\n", encoding="ascii")
    with subprocess.Popen(
        [ROOT / "deploy/entrypoint.sh", "web"],
        env={"PATH": f"{fakes}:{os.defpath}", **REQUIRED},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.communicate(timeout=10)[0] == f"{process.pid}\n"


def test_separate_read_store_is_migrated_too(fakes: Path) -> None:
    done = _enter(fakes, "migrate", **REQUIRED, READ_DATABASE_URL="r")
    plain, rates = "python manage.py migrate --noinput", "python manage.py load_exchange_rates"
    assert done.stdout.splitlines() == [plain, f"{plain} --database read", rates]
    assert _enter(fakes, "migrate", **REQUIRED).stdout.splitlines() == [plain, rates]


def test_tables_of_the_app_become_its_own_where_another_role_migrates(fakes: Path) -> None:
    done = _enter(fakes, "migrate", **REQUIRED, APP_ROLE="floodgate")
    assert done.stdout.splitlines()[1] == "python manage.py hand_over_tables floodgate"


def test_failed_migration_ends_the_role(fakes: Path) -> None:
    (fakes / "python").write_text('#!/bin/sh\necho "$*"\nexit 3\n', encoding="ascii")
    done = _enter(fakes, "migrate", **REQUIRED, READ_DATABASE_URL="r")
    assert (done.returncode, done.stdout) == (3, "manage.py migrate --noinput\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no role given"),
        (["serve"], "no role is called 'serve'"),
        (["worker"], "takes one of these queues: imports, flush, batches, events"),
        (["worker", "import"], "takes one of these queues: imports, flush, batches, events"),
        (["web", "--reload"], "'web' takes no arguments"),
        (["manage"], "'manage' needs a command"),
    ],
)
def test_wrong_role_is_a_usage_error(fakes: Path, arguments: list[str], message: str) -> None:
    done = _enter(fakes, *arguments, **REQUIRED)
    assert (done.returncode, done.stdout) == (64, "")
    assert message in done.stderr
    assert "usage: entrypoint.sh web | worker QUEUE" in done.stderr


def test_required_variables_may_stand_in_files(fakes: Path) -> None:
    environment = {f"{name}_FILE": value for name, value in REQUIRED.items()}
    assert _enter(fakes, "beat", **environment).returncode == 0


def test_missing_variables_are_named_together(fakes: Path) -> None:
    done = _enter(fakes, "web", SECRET_KEY="s", DATABASE_URL="", VALKEY_URL="v")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == "entrypoint: set these environment variables: DATABASE_URL VALKEY_CACHE_URL\n"
