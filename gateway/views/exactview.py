"""DRF views whose bodies keep numbers exactly as they are written, both ways."""

from typing import IO, Any

from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer

from common.text.exactjson import dump_exactly
from common.text.jsonbody import load_json
from gateway.views.strictview import StrictView


class ExactJSONParser(JSONParser):
    """Numbers as they were written, and no field twice."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        return load_json(stream.read())


class ExactJSONRenderer(JSONRenderer):
    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else dump_exactly(data).encode()


class ExactView(StrictView):
    parser_classes = [ExactJSONParser]
    renderer_classes = [ExactJSONRenderer]
