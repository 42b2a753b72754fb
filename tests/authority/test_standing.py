"""Who a bearer speaks for: nobody, where the token has no record, and its owner as that stands now."""

from __future__ import annotations

import pytest

from jobpass.authority.standing import anew, is_operators_login, may_see, principal_of, session_of
from jobpass.errors import RevokedToken
from support.house import House


async def test_a_document_token_speaks_for_nobody_and_has_no_record_to_renew(house: House) -> None:
    made = await house.job(await house.person("ann@example.org"))
    holder = await house.bearer(made.token)
    for asked in (session_of, principal_of):
        with pytest.raises(RevokedToken):
            asked(holder)
    assert await anew(house.store, holder) is holder


async def test_what_was_decided_since_is_in_the_record_of_now(house: House) -> None:
    ann = await house.person("ann@example.org")
    await house.authority.accounts.logout(ann)
    assert session_of(ann).credential.revoked_at is None
    again = await anew(house.store, ann)
    assert session_of(again).credential.revoked_at == house.clock.now()
    assert (again.verified, again.address) == (ann.verified, ann.address)


async def test_operators_see_what_is_everybodys_and_others_their_own(house: House) -> None:
    ann, olga = await house.person("ann@example.org"), await house.person("olga@example.org", "operator")
    own, other = principal_of(ann).id, principal_of(olga).id
    assert (may_see(ann, own), may_see(ann, other), may_see(olga, own)) == (True, False, True)
    assert (is_operators_login(ann), is_operators_login(olga)) == (False, True)
