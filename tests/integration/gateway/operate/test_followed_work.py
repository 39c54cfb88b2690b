"""What workers log of work that a request asked for carries the correlation id of that request."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from promotions.steps.importing import work_on_imports
from promotions.versions import publishing
from rates.batches import applying
from tests.logs import logged
from tests.pricebatches import make_ports
from tests.pricebatches import row as price_row
from tests.promotions import rows
from tests.roads import CORRELATION_ID, django
from vouchers.codes import generating

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])


def test_what_workers_do_for_an_import_carries_the_id_of_its_request() -> None:
    (Path(settings.IMPORT_ROOT) / "followed.csv").write_text(rows(range(3)))
    import_id = django("POST", "/process-csv", {"filename": "followed.csv"}).json["id"]
    with logged("promotions") as events:
        work_on_imports()
        work_on_imports()
    (published,) = [event for event in events if event["event"] == "version_published"]
    assert (published["version"], published["correlation_id"]) == (import_id, CORRELATION_ID)

    (Path(settings.IMPORT_ROOT) / "followed.csv").write_text(rows(range(4)))
    django("POST", "/process-csv", {"filename": "followed.csv"}, X_Correlation_ID=OTHER_ID)
    work_on_imports()
    with logged("promotions") as events:
        django("POST", f"/promotions/versions/{import_id}/activate")
    (again,) = [event for event in events if event["event"] == "version_published"]
    assert (again["version"], again["correlation_id"]) == (import_id, CORRELATION_ID)


OTHER_ID = "22222222-2222-4222-8222-222222222222"


def test_rollback_that_a_worker_delivers_carries_the_id_of_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    (Path(settings.IMPORT_ROOT) / "followed.csv").write_text(rows(range(3)))
    ids = []
    for _ in range(2):
        ids.append(django("POST", "/process-csv", {"filename": "followed.csv"}, X_Correlation_ID=OTHER_ID).json["id"])
        work_on_imports()
    with monkeypatch.context() as late:
        late.setattr(publishing, "_deliver_at_once", lambda: None)
        django("POST", f"/promotions/versions/{ids[0]}/activate")
    with logged("promotions") as events:
        work_on_imports()
    (published,) = [event for event in events if event["event"] == "version_published"]
    assert (published["version"], published["correlation_id"]) == (ids[0], CORRELATION_ID)


def fail(*_: Any) -> None:
    raise ValueError("cannot be done")


def test_failing_work_on_batches_and_generations_carries_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    make_ports()
    assert django("POST", "/rates/batches", [price_row(1)]).status == 202
    assert django("POST", "/api/vouchers/generate", {"count": 3, "amount": 5, "limit": 1}).status == 202
    monkeypatch.setattr(applying, "_apply", fail)
    monkeypatch.setattr(generating, "_make_slice", fail)
    with logged() as events:
        applying.apply_batches()
        generating.generate_vouchers()
    names = {"piece_failed", "batch_chunk_given_up", "generation_given_up"}
    found = [event for event in events if event["event"] in names]
    assert {event["event"] for event in found} == names
    assert len({event["piece"] for event in found if event["event"] == "piece_failed"}) == 2
    assert {event.get("correlation_id") for event in found} == {CORRELATION_ID}
