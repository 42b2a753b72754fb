"""Who is asking, as far as the token proves it."""

from __future__ import annotations

from msgspec import Struct

from jobpass.records import Session
from jobpass.tokens.token import Verified


class Bearer(Struct, frozen=True, gc=False):
    """A verified token, its record if the kind has one, and the address that it came from."""

    verified: Verified
    session: Session | None = None
    address: str | None = None

    @property
    def credential(self) -> str:
        """The public name of what is presented, as histories and logs show it; never the token."""
        verified = self.verified
        if verified.credential_id is not None:
            return f"{verified.kind}:{verified.credential_id}"
        return f"{verified.kind}:{verified.job}"
