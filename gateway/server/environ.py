"""A request as WSGI sees it (PEP 3333), made from an ASGI scope."""

import re
import sys
from typing import Any
from urllib.parse import unquote_to_bytes

from gateway.contract.headers import separator
from gateway.contract.http import Scope
from gateway.contract.spool import Spool


def wsgi_environ(scope: Scope, body: Spool, size: int) -> dict[str, Any]:
    """``body`` is whole, so its size is known even when the client sent it in chunks."""
    host, port = scope.get("server") or ("localhost", None)
    return {
        **_header_variables(scope),
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "CONTENT_LENGTH": str(size),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 80),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


# Python also knows codecs that decode no text, such as zlib; Django would fail on them.
_STRANGE_CHARSET = re.compile(rb";\s*charset=(?!\"?(?:utf-8|us-ascii|iso-8859-1)\"?\s*(?:;|$))[^;]*", re.IGNORECASE)


def _header_variables(scope: Scope) -> dict[str, str]:
    variables: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        if raw_name == b"transfer-encoding" or b"_" in raw_name:  # "_" would pass for "-", as in the gateway's own
            continue
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        if name == "CONTENT_TYPE":
            raw_value = _STRANGE_CHARSET.sub(b"", raw_value)
        key = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
        value = raw_value.decode("latin-1")
        variables[key] = f"{variables[key]}{separator(raw_name).decode()}{value}" if key in variables else value
    variables.pop("HTTP_CONTENT_LENGTH", None)
    return variables
