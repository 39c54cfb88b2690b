"""Static files as a clone serves them."""

from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]


def nothing_there(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=404)


def test_file_that_changes_under_a_running_server_is_served_fresh(tmp_path: Path, settings: Settings) -> None:
    settings.STATIC_ROOT = tmp_path
    path = tmp_path / "page.js"
    path.write_text("old")
    server = WhiteNoiseMiddleware(nothing_there)
    for text in ("old", "longer than before"):
        path.write_text(text)
        answer = server(RequestFactory().get("/static/page.js"))
        assert b"".join(answer.streaming_content) == text.encode()
        assert answer["Content-Length"] == str(len(text))
        assert "max-age=0" in answer["Cache-Control"]
        answer.close()
