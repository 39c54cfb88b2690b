"""Migrations only expand what there is: see docs/adr/0013."""

import pytest
from django_migration_linter import MigrationLinter

BEFORE_ANY_DEPLOYMENT = [
    *("0001_initial", "0002_replays", "0002_wallet_orders", "0003_batches", "0003_prune_rejects", "0004_entries"),
    *("0004_prune_batches", "0006_sum_ended_imports"),
]
TINY_TABLE = ["0003_key_scopes"]  # a unique index on some keys, which what an older version writes satisfies


@pytest.mark.django_db
def test_an_older_version_can_live_with_every_migration(capsys: pytest.CaptureFixture[str]) -> None:
    linter = MigrationLinter(
        ignore_name=[*BEFORE_ANY_DEPLOYMENT, *TINY_TABLE],
        warnings_as_errors_tests=["CREATE_INDEX", "CREATE_INDEX_EXCLUSIVE", "DROP_INDEX", "REINDEX"],
        exclude_apps=["axes"],  # of others; whoever takes another version of it looks
        no_cache=True,
    )
    linter.lint_all_migrations()
    assert not linter.has_errors, capsys.readouterr().out
