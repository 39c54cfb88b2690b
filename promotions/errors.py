"""What can stop an import as a whole. A bad row is no exception but a ``rows.Reject``.

FloodgateError
└── PromotionsError
    └── SourceError             the file cannot be imported
        ├── SourceNotFound      there is no such file
        ├── SourceForbidden     it lies outside the import root
        ├── SourceUnreadable    it is no text, or a damaged archive
        ├── SourceTooLarge      it unpacks to more than the limit
        └── SourceChanged       it changed while it was being read
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
