import re
from pathlib import Path

from django.contrib.staticfiles import finders
from django.test import RequestFactory

from gateway.operate.console import console

STATIC = re.compile(r'(?:src|href)="/static/([^"]+)"')
IMPORTED = re.compile(r'from "(\.[^"]+)"')


def page() -> str:
    return console(RequestFactory().get("/")).content.decode()


def file_of(name: str) -> Path:
    found = finders.find(name)
    assert found, f"{name} is named and not there"
    return Path(found)


def test_every_file_that_the_page_and_its_scripts_name_is_there() -> None:
    todo = {file_of(name) for name in STATIC.findall(page())}
    seen: set[Path] = set()
    while todo:
        file = todo.pop()
        seen.add(file)
        imported = {(file.parent / name).resolve() for name in IMPORTED.findall(file.read_text())}
        assert all(found.is_file() for found in imported), f"{file.name} imports what is not there"
        todo |= imported - seen
    scripts = file_of("gateway/console.js").parent / "console"
    assert set(scripts.iterdir()) <= seen, "a script that nothing on the page names"


def test_ids_on_the_page_are_distinct_and_the_scripts_find_theirs() -> None:
    ids = re.findall(r'\bid="([^"]+)"', page())
    assert len(ids) == len(set(ids))
    folder = file_of("gateway/console.js").parent
    wanted = {
        found
        for script in folder.rglob("*.js")
        for found in re.findall(r'(?:byId|onSubmit)\("([^"]+)"', script.read_text())
    }
    assert wanted <= set(ids)


def test_nothing_on_the_page_is_inline_since_its_policy_forbids_that() -> None:
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", page())
