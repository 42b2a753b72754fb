"""Job tokens: the handlers of ``/api/tokens``, which are those of ``/api/auth/tokens`` and of the older paths too."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from jobpass.authority.job_tokens import DEFAULT_SECONDS, Wanted
from jobpass.errors import InvalidInput, MalformedToken, UnknownCredential
from jobpass.records import Terms
from jobpass.server import present_tokens as present
from jobpass.server.body import read_body, read_members
from jobpass.server.call import Call
from jobpass.server.query import OFFSET_MAX, boolean, integer, moment, number_in
from jobpass.tokens.fingerprint import Fingerprint, fingerprint
from jobpass.tokens.token import from_hex
from jobpass.wire.credentials import (
    ContainAnswer,
    ContainRequest,
    DefaultResponse,
    DeleteTokensByKey,
    FingerprintBody,
    ListTokenIds,
    RevokeToken,
    Token,
    TokenGenerateRequest,
    TokenGenerateResponse,
    TokenUpdate,
)
from jobpass.wire.strict import decode

LIMIT: Final = 1000
LIMIT_MAX: Final = 10_000
REPORTED_MAX: Final = 1000

_generate = msgspec.json.Decoder(TokenGenerateRequest)
_update = msgspec.json.Decoder(TokenUpdate)
_ids = msgspec.json.Decoder(ListTokenIds)
_keys = msgspec.json.Decoder(DeleteTokensByKey)
_contain = msgspec.json.Decoder(ContainRequest)
_encode = msgspec.json.Encoder().encode


async def generate(call: Call) -> TokenGenerateResponse:
    """``POST /api/tokens``"""
    asked = decode(await read_body(call) or b"{}", _generate)
    wanted = Wanted(
        label=asked.label,
        duration_seconds=DEFAULT_SECONDS if asked.duration is None else asked.duration,
        priority=asked.priority or 0,
        owner=asked.user_id,
        terms=Terms(
            platforms=None if asked.platforms is None else tuple(asked.platforms),
            actions=None if asked.actions is None else tuple(asked.actions),
            mints=asked.may_mint is not False,
            explorer=bool(asked.is_explorer_token),
        ),
    )
    return present.generated(await call.authority.job_tokens.create(call.bearer, wanted))


async def list_tokens(call: Call) -> Raw:
    """``GET /api/tokens``: an array, as the contract has it."""
    query = {name: value for name, value in call.query.items() if value not in ("", "null")}
    user_id = integer(query, "user_id", 0, 0, OFFSET_MAX) if "user_id" in query else None
    found = await call.authority.job_tokens.list(
        call.bearer,
        user_id=user_id,
        expired=boolean(query, "include_expired"),
        revoked=boolean(query, "include_revoked"),
        offset=integer(query, "offset", 0, 0, OFFSET_MAX),
        limit=integer(query, "limit", LIMIT, 1, LIMIT_MAX),
    )
    at = call.authority.now()
    return Raw(_encode([present.listed(session, at) for session in found]))


async def usage(call: Call) -> Raw:
    """``GET /api/tokens/usage/report``: an array, as the contract has it."""
    query = call.query
    found = await call.authority.job_tokens.usage(
        call.bearer, _numbers(query.get("token_ids")), moment(query, "start_time"), moment(query, "end_time")
    )
    return Raw(_encode([present.used(number, usage) for number, usage in found.items()]))


async def show(call: Call) -> Token:
    """``GET /api/tokens/{id}``"""
    return present.token(await call.authority.job_tokens.show(call.bearer, _token_id(call)), call.authority.now())


async def update(call: Call) -> DefaultResponse:
    """``PUT /api/tokens/{id}``"""
    asked = decode(await read_body(call), _update)
    await call.authority.job_tokens.update(call.bearer, _token_id(call), label=asked.label, priority=asked.priority)
    return DefaultResponse()


async def revoke(call: Call) -> DefaultResponse:
    """``POST /api/tokens/revoke``"""
    form = await _form(call)
    await call.authority.job_tokens.revoke(call.bearer, _which(form), compromised=form.compromised)
    return DefaultResponse()


async def reopen(call: Call) -> DefaultResponse:
    """``POST /api/tokens/reopen``"""
    await call.authority.job_tokens.reopen(call.bearer, _which(await _form(call)))
    return DefaultResponse()


async def delete_by_ids(call: Call) -> DefaultResponse:
    """``POST /api/tokens/delete-by-ids``"""
    asked = decode(await read_body(call), _ids)
    await call.authority.job_tokens.delete(call.bearer, asked.token_ids)
    return DefaultResponse()


async def delete(call: Call) -> DefaultResponse:
    """``POST /api/tokens/delete``"""
    asked = decode(await read_body(call), _keys)
    await call.authority.job_tokens.delete(call.bearer, asked.tokens or [])
    return DefaultResponse()


async def contain(call: Call) -> ContainAnswer:
    """``POST /api/tokens/contain``"""
    asked = decode(await read_body(call), _contain)
    leaked, containment = _leaked(asked), call.authority.containment
    trace = await containment.trace(call.bearer, leaked)
    contained = None
    if asked.revoke:
        contained = await containment.contain(call.bearer, leaked, rotate_jobs=asked.rotate_jobs)
    return present.trace(trace, call.authority.now(), contained)


def _leaked(asked: ContainRequest) -> Fingerprint:
    if (asked.token is None) == (asked.fingerprint is None):
        raise InvalidInput.at("json.token", "or fingerprint must be given, and not both")
    try:
        return fingerprint(asked.token) if asked.token is not None else _fingerprint(asked.fingerprint)
    except MalformedToken:
        raise InvalidInput.at("json.token", "is not a token") from None


def _fingerprint(body: FingerprintBody | None) -> Fingerprint:
    try:
        assert body is not None
        caveats = tuple(caveat.encode() for caveat in body.caveats)
        return Fingerprint(body.prefix, from_hex(body.identifier), caveats, from_hex(body.sha256))
    except ValueError:  # an odd number of digits, a lone surrogate
        raise InvalidInput.at("json.fingerprint", "is not one") from None


async def _form(call: Call) -> RevokeToken:
    members = await read_members(call)
    number = members.get("token_id")
    compromised = boolean(members, "compromised", place="form")
    return RevokeToken(members.get("token"), None if number is None else number_in(members, "token_id"), compromised)


def _which(form: RevokeToken) -> int | str:
    """Which token the form names: by its number, or by its text."""
    if (form.token is None) == (form.token_id is None):
        raise InvalidInput.at("form.token", "or token_id must be given, and not both")
    if form.token_id is not None:
        return form.token_id
    return form.token or ""


def _numbers(text: str | None) -> list[int] | None:
    """The numbers of a parameter that may come several times; None if it is absent or empty."""
    if not text:
        return None
    parts = text.split(",")
    if len(parts) > REPORTED_MAX or not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts):
        raise InvalidInput.at("query.token_ids", f"must be at most {REPORTED_MAX} whole numbers")
    return [int(part) for part in parts]


def _token_id(call: Call) -> int:
    return call.number(UnknownCredential, "token")
