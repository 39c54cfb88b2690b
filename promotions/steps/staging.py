"""From a source file to chunks, and from loaded chunks on."""

from math import ceil
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from common.text.lines import end_by_newlines
from jobs.waking import wake
from promotions.errors import SourceChanged
from promotions.imports.sources import file_state, unpack
from promotions.imports.states import move_on, spool_folder
from promotions.jobs import IMPORT
from promotions.locks import lease_keeper
from promotions.models import Chunk, Import, ImportStatus, VersionTable
from promotions.steps.planning import Plan, PlannedChunk
from promotions.tables import create_table, table_names

LARGE_ROWS = 2_000_000
_SAMPLE_BYTES = 2**20
_CHUNK_FIELDS = ("offset", "length", "first_line", "line_count", "checksum")


def plan_import(import_: Import) -> bool:
    """Cut the source into chunks; other workers load the first ones while the rest is planned.

    Run again after a crash it makes the same chunks, or finds that the file has changed.
    Raises: SourceChanged, SourceUnreadable, SourceTooLarge.
    """
    _check_unchanged(import_)
    path = unpack(Path(import_.path), spool_folder(import_.id), settings.UNPACKED_MAX_BYTES, lease_keeper())
    if import_.status == ImportStatus.QUEUED:
        import_.table_count, import_.started_at = _table_count(path), timezone.now()
    with path.open("rb") as file:
        plan = Plan(file, settings.IMPORT_CHUNK_BYTES)
        begun = {"plain_path": str(path), "bytes_total": path.stat().st_size, "columns": ",".join(plan.head.columns)}
        begun |= {"table_count": import_.table_count, "started_at": import_.started_at}
        if not move_on(import_, ImportStatus.PLANNING, **begun):
            return True
        _create_tables(import_)
        for chunk in plan:
            _keep(import_, chunk)
    move_on(import_, ImportStatus.LOADING, sha256=plan.sha256, line_count=plan.line_count, bytes_total=plan.byte_count)
    return True


def _create_tables(import_: Import) -> None:
    for index, name in enumerate(table_names(import_.id, import_.table_count)):
        create_table(name)
        VersionTable.objects.get_or_create(source_import=import_, index=index)


def finish_loading(import_: Import) -> bool:
    """Go on to the index once every chunk is loaded."""
    if import_.chunks.filter(is_done=False).exists():
        return False
    _check_unchanged(import_)
    move_on(import_, ImportStatus.INDEXING)
    wake(IMPORT)
    return True


def _check_unchanged(import_: Import) -> None:
    """A file that is still being copied would be served in part."""
    if file_state(Path(import_.path)) != import_.file_state:
        raise SourceChanged


def _table_count(path: Path) -> int:
    """How many tables the version gets, from the size of the file and the length of its first lines.

    A large one gets one for each worker at least: two keys built side by side take 2/3 of the time that one takes with
    PostgreSQL's parallel workers, whose last merge is serial (docs/adr/0006).
    """
    with path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    rows = path.stat().st_size * end_by_newlines(sample).count(b"\n") / max(1, len(sample))
    return max(ceil(rows / settings.IMPORT_ROWS_PER_TABLE), settings.IMPORT_WORKERS if rows >= LARGE_ROWS else 1)


def _keep(import_: Import, planned: PlannedChunk) -> None:
    fields = {name: getattr(planned, name) for name in _CHUNK_FIELDS}
    chunk, is_first_time = Chunk.objects.get_or_create(source_import=import_, number=planned.number, defaults=fields)
    if not is_first_time and fields != {name: getattr(chunk, name) for name in _CHUNK_FIELDS}:
        raise SourceChanged
    if planned.number == 0:
        wake(IMPORT)
