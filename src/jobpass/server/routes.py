"""The routes as one table."""

from __future__ import annotations

from typing import Any, Final

from jobpass import errors
from jobpass.server import accounts, admin_keys, audit, health, metrics, oauth, openapi
from jobpass.server.callback_routes import CALLBACKS
from jobpass.server.compute_routes import COMPUTE
from jobpass.server.credential_routes import CREDENTIALS
from jobpass.server.file_routes import FILES
from jobpass.server.job_routes import JOBS
from jobpass.server.route import PAGE, Route
from jobpass.server.webhook_routes import WEBHOOKS
from jobpass.wire import messages, paths, power

REVIEW: Final = (errors.UnknownCredential, errors.Conflict)

_PEOPLE: Final = (
    Route(
        "POST",
        paths.LOGIN,
        accounts.login,
        "gives a login token for an address and a password",
        messages.LoginAnswer,
        body=messages.LoginRequest,
        bearer=False,
        refuses=(errors.LoginFailed, errors.TooMany),
    ),
    Route("POST", paths.LOGOUT, accounts.logout, "ends the login token that is presented", messages.Message),
    Route("GET", paths.ME, accounts.me, "tells who the token speaks for", messages.MeAnswer),
    Route(
        "POST",
        paths.USERS,
        accounts.create,
        "makes an account",
        power.UserAnswer,
        body=power.NewUser,
        refuses=(errors.AlreadyExists, errors.TooMany),
    ),
    Route("GET", paths.USERS, accounts.list_users, "lists accounts", power.UserList, query=PAGE),
    Route("GET", paths.USER, accounts.show, "shows an account", power.UserAnswer, refuses=(errors.UnknownPrincipal,)),
    Route(
        "PUT",
        paths.USER,
        accounts.update,
        "changes an account; ends its tokens if that takes power away",
        power.UserAnswer,
        body=power.UserUpdate,
        refuses=(errors.UnknownPrincipal, errors.AlreadyExists, errors.Conflict),
    ),
    Route(
        "POST",
        paths.USER_DISABLE,
        accounts.disable,
        "disables an account and ends its tokens",
        power.UserAnswer,
        refuses=(errors.UnknownPrincipal, errors.Conflict),
    ),
    Route(
        "POST",
        paths.USER_ENABLE,
        accounts.enable,
        "enables an account again",
        power.UserAnswer,
        refuses=(errors.UnknownPrincipal,),
    ),
    Route(
        "POST",
        paths.USER_PASSWORD,
        accounts.password,
        "sets a new password and ends the account's login tokens",
        power.UserAnswer,
        body=power.NewPassword,
        refuses=(errors.UnknownPrincipal, errors.LoginFailed, errors.TooMany),
    ),
)

_POWER: Final = (
    Route(
        "POST",
        paths.ADMIN_KEYS,
        admin_keys.request,
        "asks for an admin key",
        power.AdminKeyAnswer,
        body=power.NewAdminKey,
    ),
    Route("GET", paths.ADMIN_KEYS, admin_keys.list_keys, "lists requests", power.AdminKeyList, query=PAGE),
    Route(
        "GET",
        paths.ADMIN_LIFETIME,
        admin_keys.lifetime,
        "tells the lifetime of a key that asks for none",
        power.LifetimeAnswer,
    ),
    Route(
        "GET",
        paths.ADMIN_KEY,
        admin_keys.show,
        "shows a request and what became of it",
        power.AdminKeyAnswer,
        refuses=(errors.UnknownCredential,),
    ),
    Route(
        "PUT",
        paths.ADMIN_KEY,
        admin_keys.change,
        "asks for something else; needs a new review",
        power.AdminKeyAnswer,
        body=power.NewAdminKey,
        refuses=REVIEW,
    ),
    Route(
        "POST",
        paths.ADMIN_KEY_APPROVE,
        admin_keys.approve,
        "approves exactly what the hash names",
        power.AdminKeyAnswer,
        body=power.Approval,
        refuses=REVIEW,
    ),
    Route(
        "POST",
        paths.ADMIN_KEY_DENY,
        admin_keys.deny,
        "refuses a request, with a reason",
        power.AdminKeyAnswer,
        body=power.Denial,
        refuses=REVIEW,
    ),
    Route(
        "POST",
        paths.ADMIN_KEY_COLLECT,
        admin_keys.collect,
        "gives the key out, once",
        power.CollectedKey,
        refuses=REVIEW,
    ),
    Route(
        "POST",
        paths.ADMIN_KEY_REVOKE,
        admin_keys.revoke,
        "ends a key and all its tokens",
        power.AdminKeyAnswer,
        body=power.Revocation,
        refuses=REVIEW,
    ),
    Route(
        "POST",
        paths.INTROSPECT,
        oauth.introspect,
        "tells what a token is (RFC 7662)",
        power.IntrospectionAnswer,
        body=power.TokenForm,
        form=True,
    ),
    Route(
        "POST",
        paths.REVOKE,
        oauth.revoke,
        "ends a token (RFC 7009)",
        power.Nothing,
        body=power.TokenForm,
        form=True,
    ),
)

_OPERATING: Final = (
    Route(
        "GET",
        paths.AUDIT,
        audit.page,
        "shows the audit",
        power.AuditPage,
        query=("name", "principal", "since", "until", *PAGE),
    ),
    Route("GET", paths.METRICS, metrics.show, "shows the metrics", str, media_type="text/plain"),
    Route("GET", paths.HEALTH, health.health, "the process answers", messages.Message, bearer=False),
    Route("GET", paths.READY, health.ready, "the record can be written; 503 if not", messages.Message, bearer=False),
)

_DOCUMENTED: Final = (*JOBS, *FILES, *COMPUTE, *_PEOPLE, *CREDENTIALS, *_POWER, *WEBHOOKS, *_OPERATING)


def routes(*, callbacks: bool = False) -> tuple[Route, ...]:
    """Every route, the one whose speed counts first; those that take tickets only if ``callbacks`` are on."""
    documented = (*_DOCUMENTED, *CALLBACKS) if callbacks else _DOCUMENTED
    showing = openapi.showing(documented, paths.OPENAPI)
    itself = Route("GET", paths.OPENAPI, showing, openapi.DOES, dict[str, Any], bearer=False)
    return (*documented, itself)


ROUTES: Final = routes()
"""Every route that is always there."""
