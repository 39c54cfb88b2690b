"""Commands that take the rows of a file: the same arguments, and the same words for what was refused and why."""

import csv
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import CommandError

from common.audit import AuditedCommand
from common.stores.guarded import DATABASE_AWAY
from common.text.csvrows import RejectedRow
from common.text.textfiles import NoText, as_predicate

REJECTS_TOLD = 20

OnReject = Callable[[RejectedRow], object]


class ImportCommand(AuditedCommand):
    """Attributes: when_away: what to do, and what is there, when PostgreSQL did not answer."""

    when_away = "run it again"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=_source, help="A CSV file, or - for what comes through a pipe.")

    @contextmanager
    def reasons(self, path: Path) -> Iterator[None]:
        """What stops the import is told in words. Raises CommandError."""
        try:
            yield
        except NoText as error:
            raise CommandError(f"{path} {as_predicate(error)} Nothing was imported.") from error
        except OSError as error:
            where, why = error.filename or path, error.strerror or error
            raise CommandError(f"{where} cannot be read or written: {why}.") from error
        except DATABASE_AWAY as error:
            raise CommandError(f"PostgreSQL does not answer; {self.when_away}: {error}") from error

    def tell(self, row: RejectedRow) -> None:
        self.stderr.write(f"line {row.line}: {row.reason}")

    def end(self, counts: str, rejected: int) -> None:
        """Raises CommandError: some rows were rejected."""
        self.stdout.write(f"{counts}, {rejected:,} rejected")
        if rejected:
            rows = "row was" if rejected == 1 else "rows were"
            raise CommandError(f"{rejected:,} {rows} rejected.", returncode=1)


def _source(text: str) -> Path:
    return Path("/dev/stdin") if text == "-" else Path(text)


class LargeImportCommand(ImportCommand):
    """For files that may have millions of rejects: the first are told, and a file gets all."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--rejects", type=Path, help="Write line and reason of all refused rows to this CSV file.")

    @contextmanager
    def rejects(self, path: Path, rejects: Path | None) -> Iterator[OnReject]:
        """Tells the first ones at the end, when no progress bar is in the way. Raises OSError, CommandError."""
        first: list[RejectedRow] = []
        with _rejects_file(path, rejects) as write:

            def on_reject(row: RejectedRow) -> None:
                write(row)
                if len(first) < REJECTS_TOLD:
                    first.append(row)

            try:
                yield on_reject
            finally:
                for row in first:
                    self.tell(row)


@contextmanager
def _rejects_file(path: Path, rejects: Path | None) -> Iterator[OnReject]:
    """Raises CommandError: it is the file that is imported, which opening it would empty."""
    if rejects is None:
        yield lambda row: None
        return
    if rejects.exists() and path.exists() and rejects.samefile(path):
        raise CommandError(f"{rejects} is the file that is imported; name another one for the rejects.")
    with rejects.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(RejectedRow._fields)
        yield rows.writerow
