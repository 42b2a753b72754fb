"""Log in, log out, and who am I."""

from __future__ import annotations

import msgspec

from jobpass.server import present
from jobpass.server.body import read_body
from jobpass.server.call import Call
from jobpass.wire.messages import LoginAnswer, LoginRequest, MeAnswer, Message
from jobpass.wire.strict import decode

_login = msgspec.json.Decoder(LoginRequest)


async def login(call: Call) -> LoginAnswer:
    """``POST /api/login``"""
    request = decode(await read_body(call), _login)
    return present.logged_in(await call.authority.accounts.login(request.email, request.password))


async def logout(call: Call) -> Message:
    """``POST /api/logout``"""
    await call.authority.accounts.logout(call.bearer)
    return Message("logged out")


async def me(call: Call) -> MeAnswer:
    """``GET /api/me``"""
    return present.me(await call.authority.accounts.me(call.bearer))
