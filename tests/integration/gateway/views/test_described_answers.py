"""/openapi.json says of each answer what is in it: no more, and no less."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.test import Client

from promotions.steps.importing import work_on_imports
from tests.pricebatches import make_ports, row
from tests.promotions import id_of, rows
from tests.roads import django
from tests.vouchers import phone, voucher

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])

PHONE = phone(1)
TERMS = {"amount": 5, "limit": 3}


@pytest.fixture(scope="module")
def schema() -> Any:
    return Client().get("/openapi.json").json()


def resolved(shape: Any, schema: Any) -> Any:
    return schema["components"]["schemas"][shape["$ref"].rpartition("/")[2]] if "$ref" in shape else shape


def differences(shape: Any, value: Any, schema: Any, where: str) -> list[str]:
    """Members that are not described, and those that are required and missing."""
    shape = resolved(shape, schema)
    if "oneOf" in shape:
        kind = "array" if isinstance(value, list) else "object"
        shape = next(one for one in (resolved(one, schema) for one in shape["oneOf"]) if one["type"] == kind)
    if isinstance(value, list) and value:
        return differences(shape["items"], value[0], schema, f"{where}[0]")
    if not isinstance(value, dict) or "properties" not in shape:
        return []
    extra = [f"{where}.{name} is not described" for name in value.keys() - shape["properties"].keys()]
    missing = [f"{where}.{name} is missing" for name in set(shape.get("required", ())) - value.keys()]
    inner = [
        difference
        for name in value.keys() & shape["properties"].keys()
        for difference in differences(shape["properties"][name], value[name], schema, f"{where}.{name}")
    ]
    return [*extra, *missing, *inner]


def operations_with_json(schema: Any) -> set[tuple[str, str]]:
    """And those whose answer has no body."""
    return {
        (method, path)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if all("application/json" in answer.get("content", ["application/json"]) for answer in successes(operation))
    }


def successes(operation: Any) -> list[Any]:
    return [answer for status, answer in operation["responses"].items() if status.startswith("2")]


def test_answers_are_as_they_are_described(schema: Any) -> None:
    (Path(project.IMPORT_ROOT) / "described.csv").write_text(rows(range(10)))
    voucher("KNOWN", limit=5)
    make_ports()
    wrong: list[str] = []
    asked = set()

    def ask(method: str, path: str, body: Any = b"", query: str = "", **values: Any) -> Any:
        answer = django(method, path.format(**values) + query, body, X_Floodgate_Account="shop")
        described = schema["paths"][path][method.lower()]["responses"]
        assert str(answer.status) in described, (path, answer)
        asked.add((method.lower(), path))
        content = described[str(answer.status)].get("content")
        if content:
            wrong.extend(differences(content["application/json"]["schema"], answer.json, schema, f"{method} {path}"))
        return answer.json if answer.body else None

    import_id = ask("POST", "/process-csv", {"filename": "described.csv"})["id"]
    work_on_imports()
    ask("GET", "/imports")
    ask("GET", "/imports/{import_id}", import_id=import_id)
    version = ask("GET", "/promotions/versions")["results"][0]["version"]
    ask("POST", "/promotions/versions/{number}/activate", number=version)
    ask("GET", "/promotions/{id}", id=id_of(1))
    ask("GET", "/promotions", query=f"?ids={id_of(1)},{id_of(99)}")
    queued = ask("POST", "/process-csv", {"filename": "described.csv"})["id"]
    ask("POST", "/imports/{import_id}/cancel", import_id=queued)

    ask("POST", "/api/vouchers", {"code": "NEW", **TERMS})
    ask("GET", "/api/vouchers", query="?code=NEW")
    generation = ask("POST", "/api/vouchers/generate", {"count": 3, **TERMS})
    assert generation["status_url"].endswith(f"/api/vouchers/generate/{generation['id']}")
    ask("GET", "/api/vouchers/generate/{generation_id}", generation_id=generation["id"])
    ask("POST", "/api/vouchers/generate/{generation_id}/cancel", generation_id=generation["id"])
    redemption = ask("POST", "/api/vouchers/redeem", {"phone_number": PHONE, "code": "KNOWN"})["id"]
    ask("GET", "/api/vouchers/report", query="?code=KNOWN")
    ask("GET", "/api/profiles/{phone_number}", phone_number=PHONE)
    ask("GET", "/api/profiles/{phone_number}/transactions", phone_number=PHONE)
    ask("GET", "/api/wallet/profiles/{phone_number}/transactions", phone_number=PHONE)
    ask("POST", "/api/transactions", {"phone_number": PHONE, "amount": 5})
    ask("POST", "/api/vouchers/redemptions/{redemption_id}/reverse", redemption_id=redemption)
    ask("POST", "/api/profiles", {"phone_number": phone(2), "balance": 5})
    order = {
        "id": str(id_of(1)),
        "kind": "redemption",
        "redemption_id": str(id_of(2)),
        "phone_number": PHONE,
        "amount": 1,
    }
    ask("POST", "/api/wallet/orders", [order])
    ask("POST", "/api/wallet/transfers", [str(id_of(2))])
    ask("POST", "/api/wallet/profiles", [PHONE])

    price = row()
    ask("POST", "/rates", price)
    lane = f"origin={price['origin_code']}&destination={price['destination_code']}"
    for more in ("", "&stats=count,median", "&fallback=parent"):
        for path in ("/rates", "/rates_null"):
            ask("GET", path, query=f"?date_from={price['date_from']}&date_to={price['date_to']}&{lane}{more}")
    batch = ask("POST", "/rates/batches", [row(1)])["id"]
    ask("GET", "/rates/batches/{batch_id}", batch_id=batch)
    ask("POST", "/rates/batches/{batch_id}/cancel", batch_id=batch)

    ask("POST", "/increment", {"key": str(id_of(1)), "value": 1})
    ask("POST", "/increments", [{"key": str(id_of(1)), "value": 1}])
    ask("GET", "/counters/{key}", key=id_of(1))
    ask("POST", "/app")
    ask("POST", "/api/v1/timestamp")
    ask("POST", "/api/v1/timestamps", ["2026-01-01T00:00:00Z"])
    instant = ask("POST", "/api/v1/timestamp/{timestamp}", timestamp="2026-01-01T00:00:00Z")["id"]
    ask("GET", "/api/v1/timestamp/{timestamp}", timestamp=instant)

    assert wrong == []
    assert asked == operations_with_json(schema)
