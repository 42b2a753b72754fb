"""Who may do what at all: tables, no code. ``decide`` applies them.

An action is a resource and a verb. The names are public: an ``actions`` caveat lists them.
"""

from __future__ import annotations

from collections.abc import Mapping

ACTIONS: Mapping[str, str] = {
    "account.read": "see who the token speaks for",
    "account.logout": "end the login token itself",
    "account.password": "set a new password of one's own",
    "pipelines.create": "register a pipeline, or change one's own",
    "pipelines.read": "see pipelines",
    "jobs.create": "make a job",
    "jobs.read": "see a job and its history",
    "jobs.event": "send an event to a job",
    "jobs.token": "be given a job's document token again",
    "jobs.rotate": "redraw a job's serial, which ends its document tokens",
    "jobs.cancel": "take a job away to which nothing has happened yet",
    "jobs.callback": "send an event to a job by calling a URL with a ticket in it",
    "jobs.delete": "delete a job with its history",
    "tokens.create": "make a job token",
    "tokens.read": "see job tokens",
    "tokens.manage": "change, revoke, reopen and delete job tokens",
    "tokens.contain": "be told what a leaked token did, and end all that came of it",
    "tokens.introspect": "be told what a token is",
    "tokens.revoke": "end a token",
    "admin_keys.request": "ask for an admin key, and collect it",
    "admin_keys.read": "see requests for admin keys, and revoke a key",
    "admin_keys.review": "approve or deny a request for an admin key",
    "users.read": "see accounts",
    "users.manage": "make, change, disable and enable accounts",
    "api_keys.read": "see the API keys of workers",
    "api_keys.manage": "make, revoke, reopen and delete API keys",
    "platforms.read": "see the platforms that one may use",
    "platforms.manage": "add, change and retire platforms",
    "webhooks.read": "see webhooks and what could not be delivered",
    "webhooks.manage": "have a URL told of events, and end that",
    "audit.read": "read the audit",
    "metrics.read": "read the metrics",
}
"""Every action with what it means."""

ROLE_ACTIONS: Mapping[str, frozenset[str]] = {
    "author": frozenset(
        {
            "account.read",
            "account.logout",
            "account.password",
            "pipelines.create",
            "pipelines.read",
            "jobs.create",
            "jobs.read",
            "jobs.event",
            "jobs.cancel",
            "jobs.token",
            "jobs.rotate",
            "platforms.read",
            "tokens.create",
            "tokens.read",
            "tokens.manage",
            "tokens.contain",
            "tokens.introspect",
            "tokens.revoke",
            "admin_keys.request",
            "admin_keys.read",
            "webhooks.read",
            "webhooks.manage",
        }
    ),
    "operator": frozenset(ACTIONS) - {"jobs.callback", "jobs.delete"},
}
"""What a person's login token may ask for, by role; a job token asks as an author's, whoever owns it."""

KIND_ACTIONS: Mapping[str, frozenset[str]] = {
    "document": frozenset({"jobs.read", "jobs.event", "jobs.cancel", "jobs.callback"}),
    "admin": frozenset({"jobs.read", "jobs.event", "jobs.cancel", "jobs.token", "jobs.rotate", "jobs.delete"}),
    "login": frozenset(ACTIONS) - {"jobs.callback", "jobs.delete"},
    "job": frozenset(
        {
            "account.read",
            "pipelines.create",
            "pipelines.read",
            "platforms.read",
            "jobs.create",
            "jobs.read",
            "jobs.event",
            "jobs.cancel",
            "jobs.token",
            "tokens.create",
            "tokens.read",
            "tokens.manage",
        }
    ),
    "apikey": frozenset(),
}
"""What a kind of token can open whatever its holder is; a kind that is not in use here opens nothing."""

OWN_JOB_ACTIONS: frozenset[str] = frozenset(
    {"jobs.read", "jobs.event", "jobs.cancel", "jobs.token", "jobs.rotate", "tokens.contain", "webhooks.manage"}
)
"""Actions on one job which its owner may do."""

ANY_JOB_ACTIONS: Mapping[str, frozenset[str]] = {
    "author": frozenset(),
    "operator": frozenset({"jobs.read", "tokens.contain"}),
}
"""Actions on a job of somebody else, by role. What is not here is hidden (404) or, if the job may be seen, denied."""
