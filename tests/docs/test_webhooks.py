"""docs/webhooks.md: its Python verifies what is really sent, and its numbers are those of the code."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jobpass.authority import telling, webhooks
from jobpass.clock import SystemClock
from jobpass.outbox import outbox, sender
from jobpass.settings import Settings
from jobpass.stores.memory import MemoryStore
from jobpass.wire.webhooks import EventData, EventMessage
from support.outgoing import House, eventually, sending
from support.site import make_site

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def names() -> dict[str, Any]:
    """What the page's Python defines."""
    found: dict[str, Any] = {}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"docs/webhooks.md block {number}", "exec"), found)
    return found


@pytest.fixture
def receiver(names: dict[str, Any]) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), names["Receiver"])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_receiver_takes_what_is_sent_and_nothing_else(
    names: dict[str, Any], receiver: ThreadingHTTPServer
) -> None:
    site = make_site(MemoryStore(), SystemClock())
    ann = await site.login("ann")
    house = House(site, ann, await site.job(ann))
    async with sending(site, retry_seconds=()):
        made = await house.subscribe(f"http://127.0.0.1:{receiver.server_port}/")
        seen = names["Receiver"].seen
        names["Receiver"].secret = made["secret"]
        await house.send("run")
        ((identity, message),) = await eventually(lambda: list(seen.items()))
        assert (message["data"]["event"], message["data"]["event_uuid"]) == ("run", identity)
        names["Receiver"].secret = "whsec_" + "A" * 43 + "="
        await house.send("update")
        await house.until(made, dead=1)
        assert list(seen) == [identity]
    await site.authority.close()


def test_what_was_changed_or_kept_is_refused(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    # The example of the specification's own libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = b'{"test": 2432232314}'
    monkeypatch.setattr(names["time"], "time", lambda: 1614265330.5)
    names["verify"](secret, headers, body)
    two = headers | {"webhook-signature": f"v1,{'A' * 43}= {headers['webhook-signature']}"}
    names["verify"](secret, two, body)
    for other in (
        (secret, headers, body + b" "),
        (secret, headers | {"webhook-id": "msg_other"}, body),
        (secret, headers | {"webhook-signature": ""}, body),
        (secret, headers | {"webhook-timestamp": "1614265000"}, body),
        ("whsec_AAAA", headers, body),
    ):
        with pytest.raises(ValueError, match=r"fit|old"):
            names["verify"](*other)


def test_the_message_on_the_page_is_one() -> None:
    (shown,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    message = json.loads(shown)
    assert tuple(message) == EventMessage.__struct_fields__
    assert tuple(message["data"]) == EventData.__struct_fields__


def test_the_numbers_are_those_of_the_code() -> None:
    words = " ".join(PAGE.split())
    limits = outbox.Limits()
    assert f"at most {limits.host} deliveries to one host, {limits.owner} for one owner and {limits.total} alt" in words
    assert limits.failing == 1
    assert f"has {sender.LIMIT_SECONDS:.0f} seconds for all of it" in words
    assert f"The last {telling.MOST_DEAD:,} are kept, for {telling.KEPT.days} days" in words
    assert f"more than {telling.MOST_WAITING:,} deliveries wait" in words
    assert f"Nobody has more than {webhooks.MOST}." in words
    assert f"to the others after {sender.LIMIT_SECONDS + 5:.0f} seconds" in words
    assert outbox.FAILING.days == 5
    assert outbox.JITTER == 0.1
    assert webhooks.MAX_GRACE_SECONDS == 7 * 86_400
    hours = [2, 5, 10, 14, 20, 24]
    assert Settings().webhook_retry_seconds == (5, 300, 1800, *(3600 * hour for hour in hours))
    assert "5 seconds, 5 minutes, 30 minutes, 2, 5, 10, 14, 20 and 24 hours" in words
