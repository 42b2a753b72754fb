"""Every path of the HTTP contract, once, as templates that server and client share."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

LOGIN: Final = "/api/login"
LOGOUT: Final = "/api/logout"
ME: Final = "/api/me"
USERS: Final = "/api/users"
USER: Final = "/api/users/{id}"
USER_DISABLE: Final = "/api/users/{id}/disable"
USER_ENABLE: Final = "/api/users/{id}/enable"
USER_PASSWORD: Final = "/api/users/{id}/password"  # noqa: S105 - a path
TOKENS: Final = "/api/tokens"
TOKEN: Final = "/api/tokens/{id}"  # noqa: S105
TOKENS_REVOKE: Final = "/api/tokens/revoke"
TOKENS_REOPEN: Final = "/api/tokens/reopen"
TOKENS_DELETE: Final = "/api/tokens/delete"
TOKENS_DELETE_BY_IDS: Final = "/api/tokens/delete-by-ids"
TOKENS_USAGE: Final = "/api/tokens/usage/report"
TOKENS_CONTAIN: Final = "/api/tokens/contain"
AUTH_TOKENS: Final = "/api/auth/tokens"
AUTH_TOKEN: Final = "/api/auth/tokens/{id}"  # noqa: S105
AUTH_TOKENS_REVOKE: Final = "/api/auth/tokens/revoke"
AUTH_TOKENS_REOPEN: Final = "/api/auth/tokens/reopen"
AUTH_TOKENS_DELETE: Final = "/api/auth/tokens/delete"
AUTH_TOKENS_DELETE_BY_IDS: Final = "/api/auth/tokens/delete-by-ids"
OLD_TOKEN_GENERATE: Final = "/api/auth/token/generate"  # noqa: S105
OLD_TOKEN_REVOKE: Final = "/api/auth/token/revoke"  # noqa: S105
OLD_TOKEN_DELETE: Final = "/api/auth/token/delete"  # noqa: S105
OLD_TOKEN: Final = "/api/auth/token/{id}"  # noqa: S105
API_KEYS: Final = "/api/apikeys"
API_KEY: Final = "/api/apikeys/{id}"
API_KEY_REVOKE: Final = "/api/apikeys/{id}/revoke"
API_KEY_REOPEN: Final = "/api/apikeys/{id}/reopen"
PLATFORMS: Final = "/api/platforms"
PLATFORMS_PUBLIC: Final = "/api/platforms/public"
PLATFORM: Final = "/api/platforms/{id}"
PLATFORM_RETIRE: Final = "/api/platforms/{id}/retire"
PIPELINES: Final = "/api/pipelines"
PIPELINE: Final = "/api/pipelines/{uuid}"
JOBS: Final = "/api/pipelinejobs"
JOB: Final = "/api/pipelinejobs/{uuid}"
JOB_HISTORY: Final = "/api/pipelinejobs/{uuid}/history"
JOB_VERIFY: Final = "/api/pipelinejobs/{uuid}/verify"
JOB_EVENTS: Final = "/api/pipelinejobs/{uuid}/events"
JOB_INDEX: Final = "/api/pipelinejobs/{uuid}/index"
JOB_FILES: Final = "/api/pipelinejobs/{uuid}/files"
JOB_CANCEL: Final = "/api/pipelinejobs/{uuid}/cancel"
JOB_RESET: Final = "/api/pipelinejobs/{uuid}/reset"
JOB_TOKEN: Final = "/api/pipelinejobs/{uuid}/token"  # noqa: S105 - a path
JOB_ROTATE: Final = "/api/pipelinejobs/{uuid}/token/rotate"
ADMIN_KEYS: Final = "/api/admin-keys"
ADMIN_KEY: Final = "/api/admin-keys/{id}"
ADMIN_KEY_APPROVE: Final = "/api/admin-keys/{id}/approve"
ADMIN_KEY_DENY: Final = "/api/admin-keys/{id}/deny"
ADMIN_KEY_COLLECT: Final = "/api/admin-keys/{id}/collect"
ADMIN_KEY_REVOKE: Final = "/api/admin-keys/{id}/revoke"
ADMIN_LIFETIME: Final = "/api/admin-keys/lifetime"
WEBHOOKS: Final = "/api/webhooks"
WEBHOOK: Final = "/api/webhooks/{id}"
WEBHOOK_ROTATE: Final = "/api/webhooks/{id}/rotate"
WEBHOOK_ENABLE: Final = "/api/webhooks/{id}/enable"
WEBHOOK_PING: Final = "/api/webhooks/{id}/ping"
WEBHOOK_DEAD: Final = "/api/webhooks/{id}/dead-letters"
WEBHOOK_RETRY: Final = "/api/webhooks/{id}/dead-letters/retry"
CALLBACK: Final = "/api/callbacks/{ticket}"
LIFECYCLES: Final = "/api/lifecycles"
AUDIT: Final = "/api/audit"
INTROSPECT: Final = "/oauth/introspect"
REVOKE: Final = "/oauth/revoke"
METRICS: Final = "/metrics"
OPENAPI: Final = "/openapi.json"
HEALTH: Final = "/health"
READY: Final = "/ready"


_plain = re.compile(r"[A-Za-z0-9_.~-]+").fullmatch  # unreserved characters only (RFC 3986 §2.3)


def fill(template: str, **values: str) -> str:
    """The path of a template: ``fill(JOB, uuid=…)``. Each value is one segment, whatever it contains.

    A lone surrogate is sent as three bytes that are not UTF-8, which no server knows.
    """
    escaped = {
        name: value if _plain(value) else quote(value, safe="", errors="surrogatepass")
        for name, value in values.items()
    }
    return template.format_map(escaped)
