"""The part of the table of routes that is about job tokens, API keys and platforms."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from jobpass import errors
from jobpass.server import api_keys, platforms, tokens
from jobpass.server.route import Route
from jobpass.tokens.token import Kind
from jobpass.wire import credentials, paths
from jobpass.wire import platforms as wire

OF_PEOPLE: Final[tuple[Kind, ...]] = ("login", "job")
"""The kinds of token that the contract's routes take."""
PAGE: Final = ("limit", "offset", "include_expired", "include_revoked")
NO_TOKEN: Final = {404: 400}
"""Where the contract has no 404: a token that is not there is a bad request."""


def _token(method: str, path: str, handler: Any, does: str, answer: Any, **more: Any) -> Route:
    return Route(method, path, handler, does, answer, kinds=OF_PEOPLE, contract=True, **more)


_REVOKES: Final = (errors.UnknownCredential, errors.Conflict)
_TOKENS: Final = (
    _token(
        "POST",
        paths.TOKENS,
        tokens.generate,
        "makes a job token, and gives it this once",
        credentials.TokenGenerateResponse,
        body=credentials.TokenGenerateRequest,
        refuses=(errors.AlreadyExists, errors.LimitExceeded),
    ),
    _token(
        "GET",
        paths.TOKENS,
        tokens.list_tokens,
        "lists job tokens",
        list[credentials.TokenListed],
        query=("user_id", *PAGE),
    ),
    _token(
        "POST",
        paths.TOKENS_REVOKE,
        tokens.revoke,
        "ends a job token and what was made with it",
        credentials.DefaultResponse,
        body=credentials.RevokeToken,
        form=True,
        refuses=_REVOKES,
        statuses=NO_TOKEN,
    ),
    _token(
        "POST",
        paths.TOKENS_REOPEN,
        tokens.reopen,
        "takes the revocation of a job token back",
        credentials.DefaultResponse,
        body=credentials.RevokeToken,
        form=True,
        refuses=_REVOKES,
        statuses=NO_TOKEN,
    ),
    _token(
        "POST",
        paths.TOKENS_DELETE_BY_IDS,
        tokens.delete_by_ids,
        "ends job tokens for good and forgets them",
        credentials.DefaultResponse,
        body=credentials.ListTokenIds,
        refuses=_REVOKES,
        statuses=NO_TOKEN,
    ),
    _token(
        "POST",
        paths.TOKENS_DELETE,
        tokens.delete,
        "the same, by their texts",
        credentials.DefaultResponse,
        body=credentials.DeleteTokensByKey,
        refuses=_REVOKES,
        statuses=NO_TOKEN,
    ),
    _token(
        "GET",
        paths.TOKENS_USAGE,
        tokens.usage,
        "tells what was done with job tokens, by platform",
        list[credentials.TokenUsageResponse],
        query=("token_ids", "start_time", "end_time"),
        repeated=("token_ids",),
        refuses=(errors.UnknownCredential,),
        statuses=NO_TOKEN,
    ),
    _token(
        "GET",
        paths.TOKEN,
        tokens.show,
        "shows a job token",
        credentials.Token,
        refuses=(errors.UnknownCredential,),
    ),
    _token(
        "PUT",
        paths.TOKEN,
        tokens.update,
        "changes the label or the priority of a job token",
        credentials.DefaultResponse,
        body=credentials.TokenUpdate,
        refuses=(errors.UnknownCredential, errors.AlreadyExists, errors.LimitExceeded),
    ),
)

_ALIASES: Final = (
    (paths.TOKENS, paths.AUTH_TOKENS, ("GET", "POST"), False),
    (paths.TOKENS_REVOKE, paths.AUTH_TOKENS_REVOKE, ("POST",), False),
    (paths.TOKENS_REOPEN, paths.AUTH_TOKENS_REOPEN, ("POST",), False),
    (paths.TOKENS_DELETE_BY_IDS, paths.AUTH_TOKENS_DELETE_BY_IDS, ("POST",), False),
    (paths.TOKENS_DELETE, paths.AUTH_TOKENS_DELETE, ("POST",), True),
    (paths.TOKEN, paths.AUTH_TOKEN, ("GET", "PUT"), False),
    (paths.TOKENS, paths.OLD_TOKEN_GENERATE, ("POST",), True),
    (paths.TOKENS_REVOKE, paths.OLD_TOKEN_REVOKE, ("POST",), True),
    (paths.TOKENS_DELETE, paths.OLD_TOKEN_DELETE, ("POST",), True),
    (paths.TOKEN, paths.OLD_TOKEN, ("GET",), True),
)
"""Path, another path of the contract for the same, by which methods, and whether that is an older one."""


def _aliases() -> tuple[Route, ...]:
    rows = {(route.method, route.template): route for route in _TOKENS}
    return tuple(
        replace(rows[method, path], template=other, deprecated=deprecated)
        for path, other, methods, deprecated in _ALIASES
        for method in methods
    )


_API_KEYS: Final = (
    Route(
        "POST",
        paths.API_KEYS,
        api_keys.create,
        "makes an API key for a worker, and gives it this once",
        credentials.ApiKeyAnswer,
        body=credentials.NewApiKey,
        refuses=(errors.AlreadyExists,),
    ),
    Route("GET", paths.API_KEYS, api_keys.list_keys, "lists API keys", credentials.ApiKeyList, query=PAGE),
    Route(
        "GET",
        paths.API_KEY,
        api_keys.show,
        "shows an API key",
        credentials.ApiKeyAnswer,
        refuses=(errors.UnknownCredential,),
    ),
    Route(
        "POST",
        paths.API_KEY_REVOKE,
        api_keys.revoke,
        "ends an API key; for good if it is compromised",
        credentials.ApiKeyAnswer,
        query=("compromised",),
        refuses=(errors.UnknownCredential,),
    ),
    Route(
        "POST",
        paths.API_KEY_REOPEN,
        api_keys.reopen,
        "takes the revocation of an API key back",
        credentials.ApiKeyAnswer,
        refuses=(errors.UnknownCredential, errors.Conflict),
    ),
    Route(
        "DELETE",
        paths.API_KEY,
        api_keys.delete,
        "ends an API key for good and forgets it",
        credentials.DefaultResponse,
        refuses=(errors.UnknownCredential,),
    ),
)

_CONTAINMENT: Final = (
    Route(
        "POST",
        paths.TOKENS_CONTAIN,
        tokens.contain,
        "tells what a leaked token did; ends it with all that came of it, if that is asked",
        credentials.ContainAnswer,
        body=credentials.ContainRequest,
        refuses=(errors.UnknownCredential,),
    ),
)

_PLATFORMS: Final = (
    Route(
        "POST",
        paths.PLATFORMS,
        platforms.create,
        "adds a platform",
        wire.PlatformAnswer,
        body=wire.NewPlatform,
        refuses=(errors.AlreadyExists,),
    ),
    Route("GET", paths.PLATFORMS, platforms.list_platforms, "lists the platforms that one may use", wire.PlatformList),
    Route(
        "GET",
        paths.PLATFORMS_PUBLIC,
        platforms.list_public,
        "lists the platforms that there are",
        wire.PublicPlatformList,
        bearer=False,
    ),
    Route(
        "GET",
        paths.PLATFORM,
        platforms.show,
        "shows a platform",
        wire.PlatformAnswer,
        refuses=(errors.UnknownPlatform,),
    ),
    Route(
        "PUT",
        paths.PLATFORM,
        platforms.update,
        "changes a platform",
        wire.PlatformAnswer,
        body=wire.PlatformUpdate,
        refuses=(errors.UnknownPlatform,),
    ),
    Route(
        "POST",
        paths.PLATFORM_RETIRE,
        platforms.retire,
        "takes a platform out of use",
        wire.PlatformAnswer,
        refuses=(errors.UnknownPlatform,),
    ),
)

CREDENTIALS: Final = (*_TOKENS, *_aliases(), *_CONTAINMENT, *_API_KEYS, *_PLATFORMS)
