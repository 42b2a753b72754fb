"""From bearer text to who is asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from jobpass.authority.bearer import Bearer
from jobpass.authority.standing import anew
from jobpass.errors import RevokedToken
from jobpass.tokens.access import Access

if TYPE_CHECKING:
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.ports import AccountStore
    from jobpass.records import Credential
    from jobpass.tokens.fingerprint import Fingerprint
    from jobpass.tokens.token import Verified
    from jobpass.tokens.verify import Verifier


class Credentials:
    """Verifies bearer texts and finds their records."""

    def __init__(self, store: AccountStore, verifier: Verifier, gate: Gate, clock: Clock) -> None:
        self._store = store
        self._verifier = verifier
        self._gate = gate
        self._clock = clock
        self._uses: dict[str, int] = {}

    def verify(self, text: str) -> Verified:
        """Check the MAC; no I/O, so that a forgery costs no query. Raises ``InvalidToken``."""
        return self._verifier.verify(text)

    async def identify(self, verified: Verified, address: str | None = None) -> Bearer:
        """Who presents this token. Raises ``RevokedToken`` or ``ExpiredToken`` if it has ended, so that nobody with a
        dead token sends a body.

        What the token allows is decided with the access, at the gate, where its end is looked at again.
        """
        if verified.kind == "document":
            return Bearer(verified, None, address)
        session = None if verified.credential_id is None else await self._store.find_session(verified.credential_id)
        if session is None or verified.credential_id is None:
            raise RevokedToken("There is no record of this token.")
        bearer = Bearer(verified, session, address)
        self._gate.standing(bearer, Access("account.read", self._clock.now(), address=address), None)
        self._uses[verified.credential_id] = self._uses.get(verified.credential_id, 0) + 1
        return bearer

    async def anew(self, bearer: Bearer) -> Bearer:
        """The same with its record as it stands now, after a body that may have come slowly. Raises as ``identify``."""
        found = await anew(self._store, bearer)
        self._gate.standing(found, Access("account.read", self._clock.now(), address=bearer.address), None)
        return found

    def recognise(self, found: Fingerprint) -> Verified:
        """The token that a fingerprint is of, which is not presented by this. Raises ``InvalidToken``."""
        return self._verifier.recognise(found)

    def counted(self, credential: Credential) -> Credential:
        """The credential with the uses that are not written yet."""
        uses = self._uses.get(credential.id)
        if uses is None:
            return credential
        return replace(credential, uses=credential.uses + uses, last_used_at=self._clock.now())

    async def flush(self) -> None:
        """Write the uses that were counted; a chore."""
        if self._uses:
            uses, self._uses = self._uses, {}
            at = self._clock.now()
            await self._store.note_uses({one: (count, at) for one, count in uses.items()})
