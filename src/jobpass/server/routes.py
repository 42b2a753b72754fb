"""The routes as one table."""

from __future__ import annotations

from typing import Any, Final

from jobpass import errors
from jobpass.records import RELATIONS
from jobpass.server import accounts, admin_keys, audit, health, jobs, lifecycles, metrics, oauth, openapi, pipelines
from jobpass.server.callback_routes import CALLBACKS
from jobpass.server.credential_routes import CREDENTIALS
from jobpass.server.file_routes import FILES
from jobpass.server.route import Route
from jobpass.server.webhook_routes import WEBHOOKS
from jobpass.wire import messages, paths, power

PAGE: Final = ("after", "limit")
MEETS_LIFECYCLE: Final = (errors.UnknownJob, errors.UnknownEvent, errors.IllegalTransition, errors.IdempotencyConflict)
REVIEW: Final = (errors.UnknownCredential, errors.Conflict)

_JOBS: Final = (
    Route(
        "POST",
        paths.JOB_EVENTS,
        jobs.submit_event,
        "records an event",
        messages.EventAnswer,
        body=messages.NewEvent,
        refuses=(*MEETS_LIFECYCLE, errors.ArchiveFailed, errors.Conflict),
    ),
    Route(
        "GET",
        paths.JOB_HISTORY,
        jobs.history,
        "shows its events",
        messages.HistoryPage,
        query=PAGE,
        refuses=(errors.UnknownJob,),
    ),
    Route(
        "GET",
        paths.JOB_VERIFY,
        jobs.verify,
        "checks the chain of its history",
        messages.VerifyAnswer,
        refuses=(errors.UnknownJob,),
    ),
    Route("GET", paths.JOB, jobs.show, "shows a job", messages.JobAnswer, refuses=(errors.UnknownJob,)),
    Route(
        "DELETE",
        paths.JOB,
        jobs.delete,
        "deletes a job with its history",
        power.DeletedAnswer,
        refuses=(errors.UnknownJob,),
    ),
    Route(
        "POST",
        paths.JOB_CANCEL,
        jobs.cancel,
        "takes a job away to which nothing has happened yet",
        power.DeletedAnswer,
        refuses=(errors.UnknownJob, errors.Conflict),
    ),
    Route(
        "POST",
        paths.JOB_RESET,
        jobs.reset,
        "records reset, empties the archive path, records ready",
        messages.EventAnswer,
        body=messages.ResetRequest,
        refuses=(*MEETS_LIFECYCLE, errors.ArchiveFailed, errors.Conflict),
    ),
    Route(
        "POST",
        paths.JOB_TOKEN,
        jobs.token,
        "gives the job's document token again",
        power.TokenAnswer,
        refuses=(errors.UnknownJob,),
    ),
    Route(
        "POST",
        paths.JOB_ROTATE,
        jobs.rotate,
        "gives a new document token and ends the one before",
        power.TokenAnswer,
        body=power.RotateRequest,
        refuses=(errors.UnknownJob,),
    ),
    Route(
        "POST",
        paths.JOBS,
        jobs.create,
        "makes a job, or finds it again; gives its document token",
        messages.JobAnswer,
        body=messages.NewJob,
        refuses=(errors.JobExists,),
    ),
    Route(
        "GET",
        paths.JOBS,
        jobs.list_jobs,
        "lists the jobs that the token may see",
        messages.JobList,
        query=("state", "pipeline_uuid", *RELATIONS, *PAGE),
        refuses=(errors.UnknownJob,),
    ),
    Route(
        "POST",
        paths.PIPELINES,
        pipelines.put,
        "registers a pipeline, or changes one's own",
        dict[str, Any],
        body=dict[str, Any],
        refuses=(errors.AlreadyExists,),
    ),
    Route("GET", paths.PIPELINES, pipelines.list_pipelines, "lists pipelines", messages.PipelineList, query=PAGE),
    Route(
        "GET",
        paths.PIPELINE,
        pipelines.show,
        "shows a pipeline",
        dict[str, Any],
        refuses=(errors.UnknownPipeline,),
    ),
    Route("GET", paths.LIFECYCLES, lifecycles.list_lifecycles, "lists all lifecycles", power.LifecycleList),
)

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

_DOCUMENTED: Final = (*_JOBS, *FILES, *_PEOPLE, *CREDENTIALS, *_POWER, *WEBHOOKS, *_OPERATING)


def routes(*, callbacks: bool = False) -> tuple[Route, ...]:
    """Every route, the one whose speed counts first; those that take tickets only if ``callbacks`` are on."""
    documented = (*_DOCUMENTED, *CALLBACKS) if callbacks else _DOCUMENTED
    showing = openapi.showing(documented, paths.OPENAPI)
    itself = Route("GET", paths.OPENAPI, showing, openapi.DOES, dict[str, Any], bearer=False)
    return (*documented, itself)


ROUTES: Final = routes()
"""Every route that is always there."""
