"""The kind of app that most of ours are. Not in an ``apps.py``, where Django takes any class for the app's own."""

from importlib import import_module

from django.apps import AppConfig
from django.conf import settings


class AnsweringConfig(AppConfig):
    """Of an app with a module ``answering``, which workers do without: a fifth of the memory that they would take."""

    def ready(self) -> None:
        if settings.ANSWERS_REQUESTS:
            import_module(f"{self.name}.answering")
