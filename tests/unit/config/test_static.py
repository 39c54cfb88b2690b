"""Static files as a clone serves them, and as an image does."""

from pathlib import Path

from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.test import RequestFactory
from pytest_django import Settings
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]

from config.settings import base


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


def test_image_has_every_page_s_files_under_their_digests_and_as_gzip(tmp_path: Path, settings: Settings) -> None:
    settings.STATIC_ROOT, settings.WHITENOISE_AUTOREFRESH, settings.WHITENOISE_USE_FINDERS = tmp_path, False, False
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": base.IMAGE_STORAGE}}
    call_command("collectstatic", "--noinput", verbosity=0)
    server = WhiteNoiseMiddleware(nothing_there)
    for name in (
        "gateway/console.js",
        "unfold/css/styles.css",
        "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css",
    ):
        address = static(name)
        assert address != f"/static/{name}"
        answer = server(RequestFactory().get(address, headers={"Accept-Encoding": "gzip"}))
        assert (answer.status_code, answer["Content-Encoding"]) == (200, "gzip")
        assert "immutable" in answer["Cache-Control"]
        assert int(answer["Content-Length"]) < (tmp_path / name).stat().st_size
        answer.close()
