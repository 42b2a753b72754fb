"""Messages: what opens something is in no ``repr``, and an older client reads a newer server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from jobpass.server.routes import ROUTES
from jobpass.wire import messages, power

AT = datetime(2026, 11, 22, tzinfo=UTC)
SECRET = "jp_doc_secret"


@pytest.mark.parametrize(
    "message",
    [
        messages.LoginRequest("ann@example.org", SECRET),
        messages.LoginAnswer(SECRET, "Bearer", 1, AT, 1, "ann@example.org", False),
        messages.EventAnswer("u", "RUNNING", "run", 2, "e", SECRET, AT),
        messages.JobAnswer(
            uuid="u",
            lifecycle="pipeline",
            state="CREATED",
            last_event="create",
            sequence=1,
            pipeline_uuid="p",
            child_of=[],
            archive_path=None,
            session=None,
            owner=1,
            created_at=AT,
            updated_at=AT,
            token=SECRET,
        ),
        power.TokenAnswer(SECRET),
        power.CollectedKey(SECRET),
        power.NewUser("ann@example.org", SECRET),
        power.NewPassword(SECRET, SECRET),
        power.TokenForm(SECRET),
    ],
)
def test_no_secret_in_a_repr(message: msgspec.Struct) -> None:
    assert SECRET not in repr(message)
    assert SECRET not in f"{message}"
    assert SECRET.encode() in msgspec.json.encode(message)


def structs(ending: str) -> list[type[msgspec.Struct]]:
    of_both = vars(messages) | vars(power)
    return [value for name, value in of_both.items() if name.endswith(ending)]


def test_requests_refuse_what_they_do_not_know_and_answers_do_not() -> None:
    asking = [route for route in ROUTES if route.body not in (None, dict[str, Any]) and not route.form]
    assert messages.NewEvent in [route.body for route in asking]
    for route in asking:
        assert route.body.__struct_config__.forbid_unknown_fields is not route.contract, route.template
    for answer in [*structs("Answer"), *structs("Page"), *structs("List"), messages.Message, messages.Problem]:
        assert not answer.__struct_config__.forbid_unknown_fields, answer
