"""Who is asking, as far as the token proves it."""

from __future__ import annotations

from msgspec import Struct

from jobpass.records import Session
from jobpass.tokens.token import Verified


class Bearer(Struct, frozen=True, gc=False):
    """A verified token, its record if the kind has one, and the address that it came from.

    ``legacy`` says that an old token of an imported job stands for the document token which ``verified`` is.
    """

    verified: Verified
    session: Session | None = None
    address: str | None = None
    legacy: bool = False

    @property
    def credential(self) -> str:
        """The public name of what is presented, as histories and logs show it; never the token.

        A document token is named by the upper half of its serial, so that a history tells one from its successor;
        the serial opens nothing without the root key.
        """
        verified = self.verified
        if self.legacy:
            return f"legacy:{verified.job_uuid}"
        if verified.serial is not None:
            return f"document:{verified.serial >> 32:08x}"
        return f"{verified.kind}:{verified.credential_id}"
