"""Accounts: log in, log out, who am I, and who there is."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from jobpass.authority.accounts import UserChanges
from jobpass.errors import InvalidInput, UnknownPrincipal
from jobpass.records import Profile, Role
from jobpass.server import present
from jobpass.server.body import read_body
from jobpass.server.call import Call
from jobpass.server.query import limit
from jobpass.wire.messages import LoginAnswer, LoginRequest, MeAnswer, Message
from jobpass.wire.power import NewPassword, NewUser, UserAnswer, UserList, UserUpdate
from jobpass.wire.strict import decode

_login = msgspec.json.Decoder(LoginRequest)
_new_user = msgspec.json.Decoder(NewUser)
_user_update = msgspec.json.Decoder(UserUpdate)
_new_password = msgspec.json.Decoder(NewPassword)


async def login(call: Call) -> LoginAnswer:
    """``POST /api/login``"""
    request = decode(await read_body(call), _login)
    return present.logged_in(await call.authority.accounts.login(request.email, request.password, call.address))


async def logout(call: Call) -> Message:
    """``POST /api/logout``"""
    await call.authority.accounts.logout(call.bearer)
    return Message("logged out")


async def me(call: Call) -> MeAnswer:
    """``GET /api/me``"""
    return present.me(await call.authority.accounts.me(call.bearer))


async def create(call: Call) -> UserAnswer:
    """``POST /api/users``"""
    new = decode(await read_body(call), _new_user)
    made = await call.authority.accounts.create(
        new.email,
        new.password,
        _role(new) or "author",
        call.bearer,
        profile=Profile(**_profile(new)),
        active=new.active,
    )
    return present.user(made)


async def update(call: Call) -> UserAnswer:
    """``PUT /api/users/{id}``"""
    asked = decode(await read_body(call), _user_update)
    changes = UserChanges(
        email=None if asked.email is UNSET else asked.email,
        role=_role(asked),
        active=None if asked.active is UNSET else asked.active,
        profile=_profile(asked),
    )
    return present.user(await call.authority.accounts.update(call.bearer, _user_id(call), changes))


async def list_users(call: Call) -> UserList:
    """``GET /api/users``"""
    page = await call.authority.accounts.list(call.bearer, after=call.query.get("after"), limit=limit(call.query))
    return UserList([present.user(user) for user in page.items], page.next)


async def show(call: Call) -> UserAnswer:
    """``GET /api/users/{id}``"""
    return present.user(await call.authority.accounts.read(call.bearer, _user_id(call)))


async def disable(call: Call) -> UserAnswer:
    """``POST /api/users/{id}/disable``"""
    return present.user(await call.authority.accounts.set_active(call.bearer, _user_id(call), active=False))


async def enable(call: Call) -> UserAnswer:
    """``POST /api/users/{id}/enable``"""
    return present.user(await call.authority.accounts.set_active(call.bearer, _user_id(call), active=True))


async def password(call: Call) -> UserAnswer:
    """``POST /api/users/{id}/password``"""
    new = decode(await read_body(call), _new_password)
    changed = await call.authority.accounts.set_password(call.bearer, _user_id(call), new.password, new.present)
    return present.user(changed)


def _role(asked: NewUser | UserUpdate) -> Role | None:
    """The role that is asked for in either way, None if it is in none; ``InvalidInput`` if they contradict."""
    if asked.is_admin is UNSET:
        return None if asked.role is UNSET else asked.role
    role: Role = "operator" if asked.is_admin else "author"
    if asked.role not in (UNSET, role):
        raise InvalidInput.at("json.is_admin", "says something else than role")
    return role


def _profile(asked: NewUser | UserUpdate) -> dict[str, Any]:
    """What is asked for of the fields of ``Profile``."""
    given = {name: getattr(asked, name) for name in Profile.__struct_fields__}
    told = {name: value for name, value in given.items() if value is not UNSET}
    ids = told.get("platform_ids")
    return told | ({"platform_ids": tuple(ids)} if ids is not None else {})


def _user_id(call: Call) -> int:
    return call.number(UnknownPrincipal, "account")
