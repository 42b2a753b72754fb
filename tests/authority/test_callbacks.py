"""The door refuses what is no ticket, whatever a route lets through; and a ticket is no key to another one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobpass.authority.bearer import Bearer
from jobpass.errors import Denied, IdempotencyConflict, InvalidToken
from jobpass.tokens import ticket
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Actions, Caveat, Events, ExpiresAt
from support.house import House

ALL = ("run", "update", "finish", "fail")


def parts(house: House) -> dict[str, Caveat]:
    """The three conditions without which a document token is no ticket."""
    end = int((house.clock.now() + timedelta(days=1)).timestamp())
    return {"action": Actions((ticket.ACTION,)), "events": Events(ALL), "end": ExpiresAt(end)}


async def narrowed(house: House, token: str, *caveats: Caveat) -> Bearer:
    return await house.bearer(attenuate(token, caveats))


async def test_by_a_url_comes_no_event_without_a_ticket(house: House) -> None:
    ann = await house.person("ann@example.org")
    made = await house.job(ann)
    needed, jobs = parts(house), house.authority.jobs
    late = ExpiresAt(int((house.clock.now() + ticket.MAX_LIFE + ticket.SKEW).timestamp()) + 1)
    lacking = [[one for key, one in needed.items() if key != name] for name in needed]
    texts = [attenuate(made.token, caveats) for caveats in (*lacking, [needed["action"], needed["events"], late])]
    for bearer in (
        ann,
        await house.admin(),
        await house.bearer(made.token),
        *[await house.bearer(text) for text in texts],
    ):
        with pytest.raises(Denied):
            await jobs.submit_event(bearer, made.job.uuid, "run", action=ticket.ACTION)
    good = await narrowed(house, made.token, *needed.values())
    assert (await jobs.submit_event(good, made.job.uuid, "run", action=ticket.ACTION)).event.state == "RUNNING"


async def test_a_ticket_opens_no_other_action(house: House) -> None:
    made = await house.job(await house.person("ann@example.org"))
    good = await narrowed(house, made.token, *parts(house).values())
    jobs, uuid = house.authority.jobs, made.job.uuid
    for attempt in (
        jobs.submit_event(good, uuid, "run"),
        jobs.submit_event(good, uuid, "ready", action=ticket.ACTION),
        jobs.read(good, uuid),
        jobs.history(good, uuid, 0, 10),
        jobs.cancel(good, uuid),
        jobs.token(good, uuid),
        jobs.rotate(good, uuid),
        jobs.delete(good, uuid),
    ):
        with pytest.raises(Denied):
            await attempt


async def test_other_data_are_the_same_callback_but_another_event_of_a_token(house: House) -> None:
    made = await house.job(await house.person("ann@example.org"))
    good = await narrowed(house, made.token, *parts(house).values())
    plain, jobs, uuid = await house.bearer(made.token), house.authority.jobs, made.job.uuid
    first = await jobs.submit_event(good, uuid, "run", b"1", "k", action=ticket.ACTION)
    assert await jobs.submit_event(good, uuid, "run", b"2", "k", action=ticket.ACTION) == first
    with pytest.raises(IdempotencyConflict):
        await jobs.submit_event(good, uuid, "update", b"1", "k", action=ticket.ACTION)
    with pytest.raises(IdempotencyConflict):
        await jobs.submit_event(plain, uuid, "run", b"2", "k")
    assert (await jobs.submit_event(plain, uuid, "run", b"1", "k")).event == first.event


async def test_only_document_tokens_are_tickets(house: House) -> None:
    ann = await house.person("ann@example.org")
    made = await house.job(ann)
    login = (await house.authority.accounts.login("ann@example.org", "correct horse battery")).token
    for text in (login, made.token):
        with pytest.raises(InvalidToken):
            await house.authority.callbacks.identify(text, None)
    with pytest.raises(InvalidToken):
        await house.authority.callbacks.identify(attenuate(login, [*parts(house).values()]), None)
    found = await house.authority.callbacks.identify(attenuate(made.token, [*parts(house).values()]), "192.0.2.7")
    assert (found.verified.job_uuid, found.address) == (made.job.uuid, "192.0.2.7")
