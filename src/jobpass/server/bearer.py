"""The bearer text of a request: from the ``Authorization`` header, and from nowhere else (RFC 6750 §2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jobpass.authority.legacy import TEXT as OLD_TEXT
from jobpass.errors import MalformedToken, MissingToken, WrongKind
from jobpass.ids import is_uuid
from jobpass.wire import paths

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.server.call import Call
    from jobpass.tokens.token import Kind

OLD_TEXT_CHARS: Final = 16


async def identify(call: Call, kinds: tuple[Kind, ...]) -> Bearer:
    """Who sends the request; ``InvalidToken``. A forged text is refused without any look-up.

    A token of none of these ``kinds`` is ``WrongKind``.
    What looks like an old token of an imported job is one only on that job's routes.
    """
    call.text = bearer_text(call)
    if len(call.text) == OLD_TEXT_CHARS and (job := _job_of(call)) and OLD_TEXT.fullmatch(call.text):
        return await call.authority.legacy_tokens.identify(call.text, job, call.address)
    return await identify_text(call, call.text, kinds)


async def identify_text(call: Call, text: str, kinds: tuple[Kind, ...]) -> Bearer:
    """Whose token a text is that came with the request."""
    credentials = call.authority.credentials
    verified = credentials.verify(text)
    if verified.kind not in kinds:
        raise WrongKind(f"A token of kind {verified.kind} is none on this route.")
    return await credentials.identify(verified, call.address)


def _job_of(call: Call) -> str | None:
    """The uuid of the job that the route is about, if it is about one."""
    return call.id if call.template.startswith(paths.JOB) and is_uuid(call.id) else None


def bearer_text(call: Call) -> str:
    """The text after ``Bearer``; ``MissingToken`` without such a header, ``MalformedToken`` for two of them."""
    values = call.header_values(b"authorization")
    if not values:
        raise MissingToken("There is no Authorization header.")
    if len(values) > 1:
        raise MalformedToken("There is more than one Authorization header.")
    scheme, _, text = values[0].partition(b" ")
    if scheme.lower() != b"bearer":
        raise MissingToken("The Authorization header is not of the scheme Bearer.")
    try:
        return text.strip(b" ").decode("ascii")
    except UnicodeDecodeError:
        raise MalformedToken("The bearer text is not ASCII.") from None
