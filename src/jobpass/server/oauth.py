"""What a token is, and its end: RFC 7662 and RFC 7009, for a caller with a token of their own in the header."""

from __future__ import annotations

from jobpass.server import present
from jobpass.server.body import read_form
from jobpass.server.call import Call
from jobpass.wire.power import IntrospectionAnswer, Nothing


async def introspect(call: Call) -> IntrospectionAnswer:
    """``POST /oauth/introspect``"""
    form = await read_form(call)
    return present.introspected(await call.authority.introspection.introspect(call.bearer, form.token))


async def revoke(call: Call) -> Nothing:
    """``POST /oauth/revoke``: the answer does not tell whether there was such a token."""
    form = await read_form(call)
    await call.authority.introspection.revoke(call.bearer, form.token)
    return Nothing()
