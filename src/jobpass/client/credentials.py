"""The operations about job tokens, API keys and leaks.

A text is shown once: what makes one is not sent again once it was sent. Nor is what a second time would answer that it
cannot be. Texts travel in bodies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, TypeVar

from jobpass.client.asking import FORM, Asking, Stream, flag, form, items, path_of, rfc3339, to_body
from jobpass.client.exchange import Operation
from jobpass.client.narrow import texts
from jobpass.client.results import Containment
from jobpass.errors import InvalidInput, MalformedToken, UnknownCredential
from jobpass.tokens.fingerprint import fingerprint
from jobpass.wire import paths
from jobpass.wire.credentials import (
    ApiKeyAnswer,
    ApiKeyList,
    ContainRequest,
    DefaultResponse,
    DeleteTokensByKey,
    FingerprintBody,
    ListTokenIds,
    NewApiKey,
    Token,
    TokenGenerateRequest,
    TokenGenerateResponse,
    TokenListed,
    TokenUpdate,
    TokenUsageResponse,
)

PAGE: Final = 1000
"""Records asked for at a time."""

N = TypeVar("N", TokenListed, ApiKeyAnswer)  # what has an ``id`` that grows with each that is made


class Credentials(Asking):
    """Making, seeing and ending what programs and workers prove themselves with."""

    def create_token(
        self,
        label: str | None = None,
        *,
        duration_seconds: int | None = None,
        priority: int | None = None,
        user_id: int | None = None,
        platforms: Iterable[str] | None = None,
        actions: Iterable[str] | None = None,
        may_mint: bool | None = None,
    ) -> Operation[TokenGenerateResponse]:
        """Make a job token; ``token`` is its text, this once, and ``duration`` what it really lives.

        Without a label it is ``unknown``, numbered; it lives a day unless told. ``platforms`` and ``actions`` limit it,
        and with ``may_mint`` False it makes no others. ``user_id`` is for operators. Made with a job token it is that
        one's child. Raises ``AlreadyExists`` for a label that is taken, ``LimitExceeded`` for a priority too high.
        """
        asked = TokenGenerateRequest(
            label=label,
            duration=duration_seconds,
            priority=priority,
            user_id=user_id,
            platforms=_names(platforms, "json.platforms"),
            actions=_names(actions, "json.actions"),
            may_mint=may_mint,
        )
        return (yield from self._ask("POST", paths.TOKENS, TokenGenerateResponse, body=to_body(asked), again="unsent"))

    def token_record(self, token_id: int) -> Operation[Token]:
        """What is known of a job token; its ``token`` is how the text begins."""
        return (yield from self._ask("GET", _of_token(paths.TOKEN, token_id), Token))

    def token_records(
        self,
        *,
        user_id: int | None = None,
        expired: bool = False,
        revoked: bool = False,
        offset: int | None = None,
        limit: int | None = None,
    ) -> Operation[list[TokenListed]]:
        """One page of job tokens in order of issue: one's own, or for an operator those of a user or of everybody.

        ``expired`` and ``revoked`` add those that have ended. ``offset`` is how many are passed over.
        """
        return (
            yield from self._ask(
                "GET",
                paths.TOKENS,
                list[TokenListed],
                user_id=user_id,
                include_expired=flag(expired),
                include_revoked=flag(revoked),
                offset=offset,
                limit=limit,
            )
        )

    def iter_token_records(
        self, *, user_id: int | None = None, expired: bool = False, revoked: bool = False, limit: int = PAGE
    ) -> Stream[TokenListed]:
        """All of them, about ``limit`` a request; none is left out because others end meanwhile."""

        def page(offset: int, most: int) -> Operation[list[TokenListed]]:
            return self.token_records(user_id=user_id, expired=expired, revoked=revoked, offset=offset, limit=most)

        yield from _by_offset(page, limit)

    def update_token(self, token_id: int, *, label: str | None = None, priority: int | None = None) -> Operation[None]:
        """Another label or priority; what is not given stays. Raises as ``create_token`` does."""
        path, body = _of_token(paths.TOKEN, token_id), to_body(TokenUpdate(label, priority))
        yield from self._ask("PUT", path, DefaultResponse, body=body)

    def revoke_token(self, which: int | str, *, compromised: bool = False) -> Operation[None]:
        """End a job token, by its id or its text, with all that was made with it; with ``compromised`` for good."""
        body = _form(which, compromised=flag(compromised))
        yield from self._ask("POST", paths.TOKENS_REVOKE, DefaultResponse, body=body, content_type=FORM)

    def reopen_token(self, which: int | str) -> Operation[None]:
        """Take the revocation of a job token back, of this one only.

        ``Conflict`` if it has expired, has ended for good, or ended with what it was made with.
        """
        yield from self._ask(
            "POST", paths.TOKENS_REOPEN, DefaultResponse, body=_form(which), content_type=FORM, again="unsent"
        )

    def delete_tokens(self, which: Iterable[int | str]) -> Operation[None]:
        """End job tokens for good and forget them, all or none; either by their ids or by their texts."""
        if isinstance(which, str):
            raise InvalidInput.at("json.tokens", "must be a list")
        asked = list(which)
        numbers, written = (
            [one for one in asked if isinstance(one, int)],
            [one for one in asked if isinstance(one, str)],
        )
        if len(numbers) == len(asked):
            path, body = paths.TOKENS_DELETE_BY_IDS, to_body(ListTokenIds(numbers))
        elif len(written) == len(asked):
            path, body = paths.TOKENS_DELETE, to_body(DeleteTokensByKey(written))
        else:
            raise InvalidInput.at("json.tokens", "must all be ids, or all texts")
        yield from self._ask("POST", path, DefaultResponse, body=body, again="unsent")

    def token_usage(
        self, token_ids: Iterable[int], *, start: datetime | None = None, end: datetime | None = None
    ) -> Operation[list[TokenUsageResponse]]:
        """What jobs of these tokens used of each platform, from ``start`` (inclusive) to ``end``."""
        return (
            yield from self._ask(
                "GET",
                paths.TOKENS_USAGE,
                list[TokenUsageResponse],
                token_ids=list(token_ids),
                start_time=rfc3339(start, "start"),
                end_time=rfc3339(end, "end"),
            )
        )

    def create_api_key(
        self,
        label: str | None = None,
        *,
        platforms: Iterable[str] | None = None,
        duration_seconds: int | None = None,
    ) -> Operation[ApiKeyAnswer]:
        """Make a worker's API key, for these platforms or for all; ``key`` is its text, this once. For operators.

        It lives a year unless told.
        """
        body = to_body(NewApiKey(label, _names(platforms, "json.platforms"), duration_seconds))
        return (yield from self._ask("POST", paths.API_KEYS, ApiKeyAnswer, body=body, again="unsent"))

    def api_key(self, key_id: int) -> Operation[ApiKeyAnswer]:
        """What is known of an API key; its ``key`` is how the text begins."""
        return (yield from self._ask("GET", _of_key(paths.API_KEY, key_id), ApiKeyAnswer))

    def api_keys(
        self, *, expired: bool = False, revoked: bool = False, offset: int | None = None, limit: int | None = None
    ) -> Operation[ApiKeyList]:
        """One page of API keys in order of issue; ``next`` is the ``offset`` of the one that follows."""
        return (
            yield from self._ask(
                "GET",
                paths.API_KEYS,
                ApiKeyList,
                include_expired=flag(expired),
                include_revoked=flag(revoked),
                offset=offset,
                limit=limit,
            )
        )

    def iter_api_keys(self, *, expired: bool = False, revoked: bool = False, limit: int = PAGE) -> Stream[ApiKeyAnswer]:
        """All of them, about ``limit`` a request; none is left out because others end meanwhile."""

        def page(offset: int, most: int) -> Operation[list[ApiKeyAnswer]]:
            found = yield from self.api_keys(expired=expired, revoked=revoked, offset=offset, limit=most)
            return found.api_keys

        yield from _by_offset(page, limit)

    def revoke_api_key(self, key_id: int, *, compromised: bool = False) -> Operation[ApiKeyAnswer]:
        """End an API key at once; with ``compromised`` for good."""
        path = _of_key(paths.API_KEY_REVOKE, key_id)
        return (yield from self._ask("POST", path, ApiKeyAnswer, compromised=flag(compromised)))

    def reopen_api_key(self, key_id: int) -> Operation[ApiKeyAnswer]:
        """Take the revocation of an API key back; ``Conflict`` as for job tokens."""
        return (yield from self._ask("POST", _of_key(paths.API_KEY_REOPEN, key_id), ApiKeyAnswer, again="unsent"))

    def delete_api_key(self, key_id: int) -> Operation[None]:
        """End an API key for good, and forget it."""
        yield from self._ask("DELETE", _of_key(paths.API_KEY, key_id), DefaultResponse, again="unsent")

    def contain(
        self, text: str, *, revoke: bool = False, rotate_jobs: bool = False, hashed: bool = False
    ) -> Operation[Containment]:
        """What a leaked token or admin key is, what came of it, what it touched and from where.

        With ``revoke`` it ends for good, with all that came of it, and ``stopped`` tells what lived until then; with
        ``rotate_jobs`` the jobs that were touched have new serials, too. ``hashed`` sends the text's fingerprint, made
        here, which opens nothing. ``UnknownCredential`` for what is none, or not the caller's business.
        """
        asked = ContainRequest(
            token=None if hashed else text,
            fingerprint=_fingerprint(text) if hashed else None,
            revoke=revoke,
            rotate_jobs=rotate_jobs,
        )
        return (
            yield from self._ask(
                "POST",
                paths.TOKENS_CONTAIN,
                Containment,
                body=to_body(asked),
                again="unsent" if revoke else "always",
            )
        )


def _by_offset(page: Callable[[int, int], Operation[list[N]]], limit: int) -> Stream[N]:
    """The records of all pages, by the ids that grow from each to the next.

    Records that end meanwhile move the later ones up. So each page begins with the last record of the one before; if
    that is not there, it goes back until it meets what it knows.
    """
    if limit < 1:
        raise InvalidInput.at("query.limit", "must be at least 1")
    size, offset, last = max(limit, 2), 0, 0
    while True:
        found = yield from page(offset, size)
        if offset and (not found or found[0].id > last):
            offset = max(0, offset - size)
            continue
        yield from items([one for one in found if one.id > last])
        if len(found) < size:
            return
        last = max(last, found[-1].id)
        offset += len(found) - 1


def _names(names: Iterable[str] | None, field: str) -> list[str] | None:
    return None if names is None else list(texts(names, field))


def _form(which: int | str, **members: str | None) -> bytes:
    """The form that names a token by its id or by its text."""
    return form(token_id=which, **members) if isinstance(which, int) else form(token=which, **members)


def _fingerprint(text: str) -> FingerprintBody:
    try:
        made = fingerprint(text)
        caveats = [caveat.decode() for caveat in made.caveats]
    except (MalformedToken, UnicodeDecodeError):
        raise InvalidInput.at("json.token", "is not a token") from None
    return FingerprintBody(made.prefix, made.identifier.hex(), caveats, made.digest.hex())


def _of_token(template: str, token_id: int) -> str:
    return path_of(template, token_id, UnknownCredential, "token")


def _of_key(template: str, key_id: int) -> str:
    return path_of(template, key_id, UnknownCredential, "API key")
