"""The error tree: every error that Jobpass raises on purpose, and nothing else.

::

    Error
    ├── InvalidToken            the bearer text is not accepted
    │   ├── MissingToken            there is none
    │   ├── MalformedToken          the text cannot be read
    │   ├── WrongKind               a readable token of a kind that opens nothing here
    │   ├── UnknownKey              no such root key
    │   ├── ForgedToken             the MAC does not fit
    │   ├── ExpiredToken            ended by time
    │   └── RevokedToken            ended by decision (revoked, rotated, logged out)
    │       └── OwnerDisabled           ended with its owner's account
    ├── LoginFailed             unknown address or wrong password; the caller is not told which
    ├── Denied                  the token is good, and does not allow this
    ├── NotFound                unknown, or hidden from this caller
    │   ├── UnknownJob
    │   ├── UnknownPipeline
    │   ├── UnknownPrincipal
    │   ├── UnknownCredential
    │   ├── UnknownPlatform
    │   ├── UnknownWebhook
    │   └── UnknownRoute
    ├── WrongMethod             the route exists, the verb does not
    ├── Conflict                the request is sound, the present state forbids it
    │   ├── IllegalTransition       the lifecycle does not allow this event in this state
    │   ├── IdempotencyConflict     the same key came with another event
    │   ├── JobExists               the same job uuid with another owner or other parameters
    │   ├── AlreadyExists           a name that must be unique is taken
    │   ├── LimitExceeded           more than the owner, the token or the platform is allowed
    │   └── ArchiveFailed           the job's archive directory could not be worked on
    ├── InvalidInput            the request cannot be read as what it should be
    │   └── UnknownEvent            the lifecycle has no event of this name
    ├── TooLarge                more bytes than are allowed
    ├── WrongContentType        a body that is not what the route reads
    ├── TooMany                 asked too often
    ├── StoreUnavailable        the record cannot be read or written now
    ├── ServerUnavailable       (client) no answer from the server
    ├── UnexpectedAnswer        (client) an answer that is not Jobpass's
    └── SetupError              the installation cannot be used as it is
        ├── KeyringError            no keyring, an unreadable one, or one that others can read
        ├── SchemaTooNew            the database was written by a newer Jobpass
        ├── InvalidLifecycle        lifecycle data that is not sound
        └── BrokenRecord            a stored history that does not verify

No error here knows HTTP: ``wire/problems.py`` maps each leaf once, and the client raises the same classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Self


class Error(Exception):
    """Base of all; ``message`` is one sentence for a person, ``detail`` holds plain values for a program.

    Neither ever holds a token, a password or a key.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.message = message
        self.detail: dict[str, Any] = detail

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.detail)


def _rebuild(cls: type[Error], message: str, detail: dict[str, Any]) -> Error:
    error = cls.__new__(cls)
    Error.__init__(error, message, **detail)
    return error


class InvalidToken(Error):
    """The bearer text is not accepted; the leaf says why, to the audit only."""

    code = "invalid_token"


class MissingToken(InvalidToken):
    """No bearer text was given where one is needed."""

    code = "missing_token"


class MalformedToken(InvalidToken):
    """The text cannot be read as a token."""

    code = "malformed_token"


class WrongKind(InvalidToken):
    """A token of a kind that opens nothing here."""

    code = "wrong_kind"


class UnknownKey(InvalidToken):
    """The root key that the token names is not in the keyring."""

    code = "unknown_key"


class ForgedToken(InvalidToken):
    """The MAC does not fit the rest of the token."""

    code = "forged_token"


class ExpiredToken(InvalidToken):
    """The token, or its record, ended by time."""

    code = "expired_token"


class RevokedToken(InvalidToken):
    """The token ended by decision: revoked, rotated, logged out, or its owner is disabled."""

    code = "revoked_token"


class OwnerDisabled(RevokedToken):
    """The token ended with its owner's account, which is disabled."""

    code = "owner_disabled"


class LoginFailed(Error):
    """Unknown address or wrong password; the caller is not told which."""

    code = "invalid_login"


class Denied(Error):
    """The token is good, and does not allow this access."""

    code = "denied"

    def __init__(self, message: str = "This token does not allow that.", reasons: Iterable[str] = (), **detail: Any):
        super().__init__(message, reasons=list(reasons), **detail)


class NotFound(Error):
    """Unknown, or hidden from this caller: the two look the same."""

    code = "not_found"


class UnknownJob(NotFound):
    """No such job for this caller."""

    code = "unknown_job"

    def __init__(self, uuid: str, **detail: Any) -> None:
        super().__init__("There is no such job.", **({"uuid": uuid} | detail))


class UnknownPipeline(NotFound):
    """No such pipeline for this caller."""

    code = "unknown_pipeline"


class UnknownPrincipal(NotFound):
    """No such user or worker for this caller."""

    code = "unknown_principal"


class UnknownCredential(NotFound):
    """No such credential for this caller."""

    code = "unknown_credential"


class UnknownPlatform(NotFound):
    """No such platform for this caller."""

    code = "unknown_platform"


class UnknownWebhook(NotFound):
    """No such webhook for this caller."""

    code = "unknown_webhook"


class UnknownRoute(NotFound):
    """Nothing answers at this path."""

    code = "unknown_route"


class WrongMethod(Error):
    """The path exists, but not for this verb; ``detail["allowed"]`` lists the verbs that do."""

    code = "wrong_method"


class Conflict(Error):
    """The request is sound, and the present state forbids it."""

    code = "conflict"


class IllegalTransition(Conflict):
    """The lifecycle does not allow the event in the job's state."""

    code = "illegal_transition"

    def __init__(self, event: str, state: str, legal: Iterable[str] = (), **detail: Any) -> None:
        super().__init__(
            f"Event {event} is not legal in state {state}.",
            **({"event": event, "state": state, "legal": sorted(legal)} | detail),
        )


class IdempotencyConflict(Conflict):
    """The same idempotency key came before with another event."""

    code = "idempotency_conflict"


class JobExists(Conflict):
    """The same job uuid stands already with another owner, or with other parameters."""

    code = "job_exists"


class AlreadyExists(Conflict):
    """A name that must be unique is taken."""

    code = "already_exists"


class LimitExceeded(Conflict):
    """More than the owner, the token or the platform is allowed; ``detail["limit"]`` says how much is."""

    code = "limit_exceeded"

    @classmethod
    def of_queue(cls, most: int) -> Self:
        """What everybody is told who would have more jobs in the queue than that."""
        return cls(f"Cannot create more than {most} jobs", limit=most)


class ArchiveFailed(Conflict):
    """The job's archive directory could not be worked on; the message says why."""

    code = "archive_failed"


class InvalidInput(Error):
    """The request cannot be read as what it should be.

    ``detail["fields"]`` maps ``<json|query|form|path>.<field>`` to a list of sentences.
    """

    code = "invalid_input"

    def __init__(self, message: str, fields: dict[str, list[str]] | None = None, **detail: Any) -> None:
        super().__init__(message, fields=fields or {}, **detail)

    @classmethod
    def at(cls, field: str, problem: str) -> InvalidInput:
        """The error of one field: ``at("json.name", "must be a text")``."""
        return cls(f"{field}: {problem}", {field: [problem]})


class UnknownEvent(InvalidInput):
    """The lifecycle has no event of this name."""

    code = "unknown_event"

    def __init__(self, name: str, **detail: Any) -> None:
        problem = "is not an event of this job's lifecycle"
        shown = name[:64]
        super().__init__(f"{shown!r} {problem}.", **({"fields": {"json.name": [problem]}} | detail))


class TooLarge(Error):
    """More bytes than are allowed; ``detail["limit_bytes"]`` says how many are."""

    code = "too_large"


class WrongContentType(Error):
    """A body of a type that the route does not read."""

    code = "wrong_content_type"


class TooMany(Error):
    """Asked too often; ``detail["retry_after_seconds"]`` says when to try again."""

    code = "too_many"


class StoreUnavailable(Error):
    """The record cannot be read or written now; nothing was half-written."""

    code = "store_unavailable"


class ServerUnavailable(Error):
    """(Client) The server could not be reached, or did not answer in time."""

    code = "server_unavailable"


class UnexpectedAnswer(Error):
    """(Client) What answered does not speak as Jobpass does; ``detail["status"]`` is the HTTP status."""

    code = "unexpected_answer"


class SetupError(Error):
    """The installation cannot be used as it is."""

    code = "setup_error"


class KeyringError(SetupError):
    """No keyring, an unreadable one, or one that others can read."""

    code = "keyring_error"


class SchemaTooNew(SetupError):
    """The database was written by a newer Jobpass."""

    code = "schema_too_new"


class InvalidLifecycle(SetupError):
    """Lifecycle data that is not sound; ``detail["problems"]`` lists each with its line."""

    code = "invalid_lifecycle"


class BrokenRecord(SetupError):
    """A stored history that does not verify."""

    code = "broken_record"
