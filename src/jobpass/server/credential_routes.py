"""The part of the table of routes that is about job tokens, API keys and platforms."""

from __future__ import annotations

from typing import Any, Final

from jobpass import errors
from jobpass.server import api_keys, platforms, tokens
from jobpass.server.route import Alias, Handler, Route, of_cloud, with_aliases
from jobpass.wire import credentials, paths
from jobpass.wire import platforms as wire

LISTED: Final = ("limit", "offset", "include_expired", "include_revoked")
"""The parameters of a list of credentials."""
NO_TOKEN: Final = {404: 400}
"""Where the contract has no 404: a token that is not there is a bad request."""


def _ends(path: str, handler: Handler, does: str, body: Any, *, form: bool = False) -> Route:
    """A row that ends job tokens, or takes that back."""
    return of_cloud(
        "POST",
        path,
        handler,
        does,
        credentials.DefaultResponse,
        body=body,
        form=form,
        refuses=(errors.UnknownCredential, errors.Conflict),
        statuses=NO_TOKEN,
    )


_TOKENS: Final = (
    of_cloud(
        "POST",
        paths.TOKENS,
        tokens.generate,
        "makes a job token, and gives it this once",
        credentials.TokenGenerateResponse,
        body=credentials.TokenGenerateRequest,
        refuses=(errors.AlreadyExists, errors.LimitExceeded),
    ),
    of_cloud(
        "GET",
        paths.TOKENS,
        tokens.list_tokens,
        "lists job tokens",
        list[credentials.TokenListed],
        query=("user_id", *LISTED),
    ),
    _ends(
        paths.TOKENS_REVOKE,
        tokens.revoke,
        "ends a job token and what was made with it",
        credentials.RevokeToken,
        form=True,
    ),
    _ends(
        paths.TOKENS_REOPEN,
        tokens.reopen,
        "takes the revocation of a job token back",
        credentials.RevokeToken,
        form=True,
    ),
    _ends(
        paths.TOKENS_DELETE_BY_IDS,
        tokens.delete_by_ids,
        "ends job tokens for good and forgets them",
        credentials.ListTokenIds,
    ),
    _ends(paths.TOKENS_DELETE, tokens.delete, "the same, by their texts", credentials.DeleteTokensByKey),
    of_cloud(
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
    of_cloud(
        "GET",
        paths.TOKEN,
        tokens.show,
        "shows a job token",
        credentials.Token,
        refuses=(errors.UnknownCredential,),
    ),
    of_cloud(
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
    Alias(paths.TOKENS, paths.AUTH_TOKENS, ("GET", "POST"), old=False),
    Alias(paths.TOKENS_REVOKE, paths.AUTH_TOKENS_REVOKE, ("POST",), old=False),
    Alias(paths.TOKENS_REOPEN, paths.AUTH_TOKENS_REOPEN, ("POST",), old=False),
    Alias(paths.TOKENS_DELETE_BY_IDS, paths.AUTH_TOKENS_DELETE_BY_IDS, ("POST",), old=False),
    Alias(paths.TOKENS_DELETE, paths.AUTH_TOKENS_DELETE, ("POST",)),
    Alias(paths.TOKEN, paths.AUTH_TOKEN, ("GET", "PUT"), old=False),
    Alias(paths.TOKENS, paths.OLD_TOKEN_GENERATE, ("POST",)),
    Alias(paths.TOKENS_REVOKE, paths.OLD_TOKEN_REVOKE, ("POST",)),
    Alias(paths.TOKENS_DELETE, paths.OLD_TOKEN_DELETE, ("POST",)),
    Alias(paths.TOKEN, paths.OLD_TOKEN, ("GET",)),
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
    Route("GET", paths.API_KEYS, api_keys.list_keys, "lists API keys", credentials.ApiKeyList, query=LISTED),
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

CREDENTIALS: Final = (*with_aliases(_TOKENS, _ALIASES), *_CONTAINMENT, *_API_KEYS, *_PLATFORMS)
