"""What can stop an import or refuse a request about one. A bad row is no exception but a ``rowtext.RejectedLine``.

Invalid
└── SourceUnreadable   it is no text, or a damaged file
Forbidden
└── SourceForbidden    it lies outside the import root
NotFound
├── SourceNotFound     there is no such file
├── ImportNotFound
└── VersionNotFound
Conflict
├── SourceChanged      it changed while it was being read
├── Quarantined        a publish check failed
├── ImportFinished
└── VersionGone
Gone
└── RejectsGone        they are not kept any more
TooLarge
└── SourceTooLarge     it unpacks to more than the limit
FloodgateError
└── WorkersKilled      a piece of the work ended its worker each time
"""

from common.errors import Conflict, FloodgateError, Forbidden, Gone, Invalid, NotFound, TooLarge


class SourceNotFound(NotFound):
    code = "source-not-found"
    default_detail = "There is no such file under IMPORT_ROOT."


class SourceForbidden(Forbidden):
    code = "source-forbidden"
    default_detail = "The file lies outside IMPORT_ROOT."


class SourceUnreadable(Invalid):
    code = "source-unreadable"
    default_detail = "The file cannot be read as promotions text, gzip or zstd."


class SourceTooLarge(TooLarge):
    code = "source-too-large"
    default_detail = "The file unpacks to more than UNPACKED_MAX_BYTES."


class SourceChanged(Conflict):
    code = "source-changed"
    default_detail = "The file changed while it was being read; submit it again."


class Quarantined(Conflict):
    code = "quarantined"
    default_detail = "The file did not pass the checks; the live data stays."


class WorkersKilled(FloodgateError):
    code = "workers-killed"

    def __init__(self, work: str, times: int) -> None:
        super().__init__(
            f"{work} ended its worker {times} times, perhaps for lack of memory. Look at the log, and import it again."
        )


class ImportNotFound(NotFound):
    code = "import-not-found"

    def __init__(self, import_id: int) -> None:
        super().__init__(f"There is no import {import_id}.")


class ImportFinished(Conflict):
    code = "import-finished"

    def __init__(self, import_id: int, status: str) -> None:
        super().__init__(f"Import {import_id} is {status} and cannot be cancelled any more.")


class RejectsGone(Gone):
    code = "rejects-gone"

    def __init__(self, import_id: int, days: int) -> None:
        super().__init__(
            f"Rejects of import {import_id} were kept for {days} days after its end (IMPORT_KEEP_REJECTS_DAYS)."
        )


class VersionNotFound(NotFound):
    code = "version-not-found"

    def __init__(self, number: int) -> None:
        super().__init__(f"There is no version {number}.")


class VersionGone(Conflict):
    code = "version-gone"

    def __init__(self, number: int) -> None:
        super().__init__(f"The data of version {number} was dropped; import its file again.")
