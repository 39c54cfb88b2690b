"""Logins of people: whom django-axes counts, what it says, and one line of the audit log for each try."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

from common.audit import audit
from common.network.addresses import network_of
from gateway.contract.problems import problem_to
from gateway.errors import LoginLocked

LOCKED = "locked"
LONGEST_NAME = 150  # of Django's users


def address_of(request: HttpRequest) -> str | None:
    """As limits count clients: of an IPv6 address the first one of its /64. The gateway has found it."""
    return network_of(request.META.get("REMOTE_ADDR", "")).partition("/")[0] or None


def typed_name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """As much of it as a name may have; what counts it has a column of this kind."""
    given = credentials if credentials is not None else request.POST
    return str(given.get("username") or "")[:LONGEST_NAME]


def locked(request: HttpRequest, response: HttpResponse | None, credentials: object) -> HttpResponse:
    return problem_to(request, LoginLocked(int(settings.AXES_COOLOFF_TIME.total_seconds())))


@receiver(user_logged_in)
def _tell_login(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    audit(f"user:{user.get_username()}", "login", said=_from(request))


@receiver(user_logged_out)
def _tell_logout(sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        audit(f"user:{user.get_username()}", "logout", said=_from(request))


@receiver(user_login_failed)
def _tell_failure(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """What was typed is only told where there is such a user: it may be a password."""
    typed = str(credentials.get("username") or "")
    who = typed if User.objects.filter(username=typed).exists() else "unknown"
    is_locked = getattr(request, "axes_locked_out", False)
    audit(f"user:{who}", "login", outcome=LOCKED if is_locked else "refused", said=_from(request))


def _from(request: HttpRequest | None) -> str:
    return f"from {request.META.get('REMOTE_ADDR', '')}" if request else ""
