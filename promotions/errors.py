"""What can stop an import or refuse a request about one. A bad row is no exception but a ``rowtext.RejectedLine``.

FloodgateError
└── PromotionsError
    ├── SourceError             the file cannot be imported
    │   ├── SourceNotFound      there is no such file
    │   ├── SourceForbidden     it lies outside the import root
    │   ├── SourceUnreadable    it is no text, or a damaged file
    │   ├── SourceTooLarge      it unpacks to more than the limit
    │   └── SourceChanged       it changed while it was being read
    ├── Quarantined             a gate did not open
    ├── WorkersKilled           a piece of the work ended its worker each time
    ├── ImportNotFound
    ├── ImportFinished
    ├── RejectsGone             they are not kept any more
    ├── VersionNotFound
    └── VersionGone
"""

from common.errors import FloodgateError


class PromotionsError(FloodgateError):
    code = "promotions-error"
    default_detail = "The promotions could not be imported."


class SourceError(PromotionsError):
    code = "source-error"
    default_detail = "The file cannot be imported."


class SourceNotFound(SourceError):
    code = "source-not-found"
    default_detail = "There is no such file under IMPORT_ROOT."


class SourceForbidden(SourceError):
    code = "source-forbidden"
    default_detail = "The file lies outside IMPORT_ROOT."


class SourceUnreadable(SourceError):
    code = "source-unreadable"
    default_detail = "The file cannot be read as promotions text, gzip or zstd."


class SourceTooLarge(SourceError):
    code = "source-too-large"
    default_detail = "The file unpacks to more than UNPACKED_MAX_BYTES."


class SourceChanged(SourceError):
    code = "source-changed"
    default_detail = "The file changed while it was being read; submit it again."


class Quarantined(PromotionsError):
    code = "quarantined"
    default_detail = "The file did not pass the checks; the live data stays."


class WorkersKilled(PromotionsError):
    code = "workers-killed"

    def __init__(self, work: str, times: int) -> None:
        super().__init__(
            f"{work} ended its worker {times} times, perhaps for lack of memory. Look at the log, and import it again."
        )


class ImportNotFound(PromotionsError):
    code = "import-not-found"

    def __init__(self, import_id: int) -> None:
        super().__init__(f"There is no import {import_id}.")


class ImportFinished(PromotionsError):
    code = "import-finished"

    def __init__(self, import_id: int, status: str) -> None:
        super().__init__(f"Import {import_id} is {status} and cannot be cancelled any more.")


class RejectsGone(PromotionsError):
    code = "rejects-gone"

    def __init__(self, import_id: int, days: int) -> None:
        super().__init__(
            f"Rejects of import {import_id} were kept for {days} days after its end (IMPORT_KEEP_REJECTS_DAYS)."
        )


class VersionNotFound(PromotionsError):
    code = "version-not-found"

    def __init__(self, number: int) -> None:
        super().__init__(f"There is no version {number}.")


class VersionGone(PromotionsError):
    code = "version-gone"

    def __init__(self, number: int) -> None:
        super().__init__(f"The data of version {number} was dropped; import its file again.")
