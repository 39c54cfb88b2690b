"""The page at ``/``: what runs now, and forms for the first things a person wants to do."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def console(request: HttpRequest) -> HttpResponse:
    """A shell without data; its script asks the same addresses that any client uses."""
    return render(request, "gateway/console.html")
