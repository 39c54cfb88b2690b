"""Every address has one format, whatever Accept says: a browser that asks for HTML gets the JSON, not 406.

Where an address takes one format only, bodies are read as that, whatever Content-Type says, as hot endpoints do: ``curl
-d`` calls JSON a form. Content-Type decides where there are several formats. A view that takes no body has no parsers.
"""

from collections.abc import Iterable

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.utils.mediatypes import media_type_matches


class OneFormat(BaseContentNegotiation):
    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        parsers = tuple(parsers)
        if len(parsers) == 1:
            return parsers[0]
        return next((parser for parser in parsers if media_type_matches(parser.media_type, request.content_type)), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, first.media_type
