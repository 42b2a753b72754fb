"""Verify, mint and attenuate a token with three caveats, beside one ``hmac.digest`` and other token libraries.

Each contender is given the same job: one fixed key, a text that says until when, for which job and for which events,
and all three asked. What is cold decodes and checks everything; the cached figure is a text that was seen before.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import biscuit_auth as biscuit
import itsdangerous
import jwt
import pymacaroons

from benchmarks.common import Row, Times, alternate, at_least, at_most
from jobpass.clock import SystemClock
from jobpass.tokens.access import Access
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Events, ExpiresAt, Jobs
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mint import mint_document
from jobpass.tokens.token import parse
from jobpass.tokens.verify import Verifier, check_caveats

ROOT = hashlib.sha256(b"a key for the benchmark").digest()
KID = bytes.fromhex("0a1b2c3d")
JOB = "1079f67e-0ef6-51f0-9d5b-0242ac110002"
SERIAL = 0xFEDCBA9876543210
MESSAGE = bytes(30)  # as long as the identifier of a document token
CLOCK = SystemClock()
EXPIRES = CLOCK.now().replace(microsecond=0) + timedelta(days=1)
SECOND = int(EXPIRES.timestamp())
EVENTS = ["update", "resource"]

YARDSTICK = "hmac.digest of 30 bytes"
COLD = "verify, cold"
ASKED = "verify, cold, and ask its caveats"
CACHED = "verify, cached, and ask its caveats"
WHOLE = "the same, with clock, access and record"
WHY = "four HMACs in a row, where a JWT has one: what attenuation costs"
Calls = dict[str, Callable[[], Any]]


def run(runs: int = 21) -> list[Row]:
    """The rows of the table; each figure is the median of ``runs`` alternating runs."""
    times = alternate({YARDSTICK: lambda: hmac.digest(ROOT, MESSAGE, "sha256")} | _ours() | _others(), runs, cpu=True)
    bounds = {COLD: 6.0, CACHED: 0.6, WHOLE: 1.0}
    rows = []
    for name in times.seconds:
        ratio, value = times.ratio(name, YARDSTICK), times.median(name) * 1e6
        bound = bounds.get(name)
        rows.append(Row(name, value, "µs", ratio) if bound is None else at_most(name, value, "µs", ratio, bound))
    return rows + _faster(times)


def _faster(times: Times) -> list[Row]:
    """How many times as long the others take to verify; they have no cache, so ours is shown without one too."""
    rows = []
    for other, bound in {"pymacaroons": 4.0, "PyJWT HS256": 4.0, "itsdangerous": None, "biscuit-python": None}.items():
        name = f"{other}: verify"
        value = times.median(name) * 1e6
        for ours in (ASKED, CACHED):
            label, ratio = f"{name} / ours, {'cold' if ours is ASKED else 'cached'}", times.ratio(name, ours)
            if bound is None:
                rows.append(Row(label, value, "µs", ratio))
            else:
                note = WHY if (other, ours) == ("PyJWT HS256", ASKED) else ""
                rows.append(at_least(label, value, "µs", ratio, bound, note))
    return rows


def _ours() -> Calls:
    keyring = Keyring.generate(KID, ROOT)
    caveats = [ExpiresAt(SECOND), Jobs((JOB,)), Events(tuple(EVENTS))]
    text = mint_document(keyring, KID.hex(), JOB, SERIAL, caveats)
    cold, warm = Verifier(keyring, cache_size=0), Verifier(keyring)
    access = Access("jobs.event", CLOCK.now(), JOB, "update", "RUNNING", None, "127.0.0.1")
    records = {JOB: (SERIAL, "RUNNING")}

    def verify_and_ask() -> None:
        if check_caveats(cold.verify(text), access):
            raise AssertionError

    def verify_cached() -> None:
        if check_caveats(warm.verify(text), access):
            raise AssertionError

    def verify_whole() -> None:
        verified = warm.verify(text)
        serial, state = records[JOB]
        if verified.serial != serial or verified.job_uuid != JOB:
            raise AssertionError
        if check_caveats(verified, Access("jobs.event", CLOCK.now(), JOB, "update", state, None, "127.0.0.1")):
            raise AssertionError

    return {
        COLD: lambda: cold.verify(text),
        ASKED: verify_and_ask,
        CACHED: verify_cached,
        WHOLE: verify_whole,
        "mint": lambda: mint_document(keyring, KID.hex(), JOB, SERIAL, caveats),
        "mint, no caveats": lambda: mint_document(keyring, KID.hex(), JOB, SERIAL),
        "attenuate by one": lambda: attenuate(text, [ExpiresAt(SECOND)]),
        "parse": lambda: parse(text),
    }


def _others() -> Calls:
    return _pymacaroons() | _pyjwt() | _itsdangerous() | _biscuit()


def _allowed(job: str, events: list[str]) -> None:
    """The questions that the libraries leave to their user; the time they ask themselves."""
    if job != JOB or "update" not in events:
        raise AssertionError


def _pymacaroons() -> Calls:
    def satisfied(predicate: str) -> bool:
        name, value = json.loads(predicate)
        if name == "expires_at":
            return bool(CLOCK.now().timestamp() < value)
        return bool((name == "jobs" and JOB in value) or (name == "events" and "update" in value))

    def mint() -> str:
        made = pymacaroons.Macaroon("", "0" * 30, ROOT.hex(), version=pymacaroons.MACAROON_V2)
        for caveat in (["expires_at", SECOND], ["jobs", [JOB]], ["events", EVENTS]):
            made.add_first_party_caveat(json.dumps(caveat, separators=(",", ":")))
        return str(made.serialize())

    text = mint()
    verifier = pymacaroons.Verifier()
    verifier.satisfy_general(satisfied)
    return {
        "pymacaroons: verify": lambda: verifier.verify(pymacaroons.Macaroon.deserialize(text), ROOT.hex()),
        "pymacaroons: mint": mint,
    }


def _pyjwt() -> Calls:
    claims = {"exp": SECOND, "job": JOB, "events": EVENTS}
    text = jwt.encode(claims, ROOT, "HS256")

    def verify() -> None:
        found = jwt.decode(text, ROOT, algorithms=["HS256"])
        _allowed(found["job"], found["events"])

    return {"PyJWT HS256: verify": verify, "PyJWT HS256: mint": lambda: jwt.encode(claims, ROOT, "HS256")}


def _itsdangerous() -> Calls:
    signer = itsdangerous.URLSafeTimedSerializer(ROOT, signer_kwargs={"digest_method": hashlib.sha256})
    claims = {"job": JOB, "events": EVENTS}
    text = signer.dumps(claims)

    def verify() -> None:
        found = signer.loads(text, max_age=86_400)
        _allowed(found["job"], found["events"])

    return {"itsdangerous: verify": verify, "itsdangerous: mint": lambda: signer.dumps(claims)}


def _biscuit() -> Calls:
    keys = biscuit.KeyPair()
    source = "job({job}); check if time($t), $t < {end}; check if event($e), {events}.contains($e)"
    facts = {"job": JOB, "end": EXPIRES, "events": EVENTS}
    query = "time({now}); event({event}); allow if job({job})"

    def mint() -> str:
        return str(biscuit.BiscuitBuilder(source, facts).build(keys.private_key).to_base64())

    text = mint()

    def verify() -> None:
        token = biscuit.Biscuit.from_base64(text, keys.public_key)
        asked = {"now": datetime.now(UTC), "event": "update", "job": JOB}
        builder = biscuit.AuthorizerBuilder(query, asked)
        limits = builder.limits()
        limits.max_time = timedelta(seconds=1)  # its default of 1 ms is too short on a busy machine
        builder.set_limits(limits)
        builder.build(token).authorize()

    return {"biscuit-python: verify": verify, "biscuit-python: mint": mint}
