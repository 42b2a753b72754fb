"""``Client``: the SDK for ordinary, blocking code."""

from __future__ import annotations

import functools
import ssl
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Concatenate, ParamSpec, Protocol, Self, TypeVar

import httpx2

from jobpass.client.address import Address
from jobpass.client.asking import Bearer, Item, Stream
from jobpass.client.base import BaseClient
from jobpass.client.exchange import MAX_ANSWER_BYTES, Operation, Reply, Request, Retries, Sleep
from jobpass.client.flow import Flow
from jobpass.client.transport import LIMITS, lost, response, tls_context, to_httpx
from jobpass.clock import Clock, SystemClock

P = ParamSpec("P")
T = TypeVar("T")


def _call(operation: Callable[Concatenate[Flow, P], Operation[T]]) -> Callable[Concatenate[Client, P], T]:
    """The method that carries out ``operation``."""

    @functools.wraps(operation)
    def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client._run(operation(client._flow, *args, **kwargs))

    return method


def _each(stream: Callable[Concatenate[Flow, P], Stream[T]]) -> Callable[Concatenate[Client, P], Iterator[T]]:
    """The method that yields the items of ``stream``."""

    @functools.wraps(stream)
    def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return client._iterate(stream(client._flow, *args, **kwargs))

    return method


class Channel(Protocol):
    """What carries a request to where it is answered; may be shared by threads."""

    def ask(self, request: Request) -> Reply:
        """The answer, or ``Lost``: it raises nothing for what may happen on the way."""
        ...

    def close(self) -> None:
        """Let go of what is held; more calls do nothing."""
        ...


class Http:
    """The channel to a server."""

    def __init__(self, transport: httpx2.BaseTransport, address: Address) -> None:
        self._transport = transport
        self._address = address

    def ask(self, request: Request) -> Reply:
        """As ``Channel``."""
        started = time.monotonic()
        try:
            answer = self._transport.handle_request(to_httpx(request, self._address))
            try:
                body = _body(answer, started + request.timeout_seconds)
            finally:
                answer.close()
        except (httpx2.HTTPError, OSError) as error:
            # Turned into a value here, so that no later traceback shows the library's frames and their headers.
            return lost(error, time.monotonic() - started)
        return response(answer, body, time.monotonic() - started)

    def close(self) -> None:
        """As ``Channel``."""
        self._transport.close()


def _body(answer: httpx2.Response, until: float) -> bytes:
    """The body, as far as it is needed; ``TimeoutError`` if it drips in past the moment ``until``."""
    if answer.is_stream_consumed:
        return answer.content
    chunks: list[bytes] = []
    size = 0
    for chunk in answer.iter_raw():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            break
        if time.monotonic() > until:
            raise TimeoutError
    return b"".join(chunks)


class Client(BaseClient):
    """A Jobpass server, as the holder of one token sees it; may be shared by threads, and is a context manager.

    ``url`` is ``https://…``, or ``http://…`` on loopback (elsewhere only with ``allow_plain_http``). ``token`` may be
    a function, which is asked for the text before each request: ``lambda: jobpass.admin_token(key)``.
    ``timeout_seconds`` bounds each attempt, ``retries`` how many there are and for how long. ``tls`` replaces the
    system's certificates. Proxies are used only if given as ``proxy``: the environment is not asked. ``public_url`` is
    where others reach the server, for callbacks. ``channel`` is for working in process; ``transport``, ``sleep`` and
    ``clock`` are for tests.
    """

    def __init__(
        self,
        url: str,
        token: Bearer = None,
        *,
        timeout_seconds: float = 10.0,
        retries: Retries = Retries(),  # noqa: B008 - a frozen value
        allow_plain_http: bool = False,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        public_url: str | None = None,
        transport: httpx2.BaseTransport | None = None,
        channel: Channel | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            url,
            token,
            timeout_seconds,
            retries,
            allow_plain_http,
            clock or SystemClock(),
            public_url or (url if channel is None else None),
        )
        self._flow.answers_arrive = channel is not None
        self._channel = channel or Http(
            transport
            or httpx2.HTTPTransport(
                verify=tls_context(self._address, tls), trust_env=False, limits=LIMITS, proxy=proxy
            ),
            self._address,
        )
        self._sleep = sleep

    # ``aio`` has the same list: no type says of one list that here it returns and there it is awaited. A test compares.
    login = _call(Flow.login)
    logout = _call(Flow.logout)
    me = _call(Flow.me)
    create_pipeline = _call(Flow.create_pipeline)
    pipeline = _call(Flow.pipeline)
    pipelines = _call(Flow.pipelines)
    iter_pipelines = _each(Flow.iter_pipelines)
    create_job = _call(Flow.create_job)
    cancel_job = _call(Flow.cancel_job)
    reset_job = _call(Flow.reset_job)
    job = _call(Flow.job)
    jobs = _call(Flow.jobs)
    iter_jobs = _each(Flow.iter_jobs)
    history = _call(Flow.history)
    iter_history = _each(Flow.iter_history)
    watch = _each(Flow.watch)
    send = _call(Flow.send)
    verify = _call(Flow.verify)
    index_job = _call(Flow.index_job)
    indexing = _call(Flow.indexing)
    follow_index = _each(Flow.follow_index)
    files = _call(Flow.files)
    iter_files = _each(Flow.iter_files)
    job_token = _call(Flow.job_token)
    rotate_job_token = _call(Flow.rotate_job_token)
    delete_job = _call(Flow.delete_job)
    request_admin_key = _call(Flow.request_admin_key)
    change_admin_key = _call(Flow.change_admin_key)
    admin_key = _call(Flow.admin_key)
    admin_keys = _call(Flow.admin_keys)
    iter_admin_keys = _each(Flow.iter_admin_keys)
    approve_admin_key = _call(Flow.approve_admin_key)
    deny_admin_key = _call(Flow.deny_admin_key)
    collect_admin_key = _call(Flow.collect_admin_key)
    revoke_admin_key = _call(Flow.revoke_admin_key)
    admin_lifetime = _call(Flow.admin_lifetime)
    create_user = _call(Flow.create_user)
    update_user = _call(Flow.update_user)
    user = _call(Flow.user)
    users = _call(Flow.users)
    iter_users = _each(Flow.iter_users)
    disable_user = _call(Flow.disable_user)
    enable_user = _call(Flow.enable_user)
    set_password = _call(Flow.set_password)
    lifecycles = _call(Flow.lifecycles)
    audit = _call(Flow.audit)
    iter_audit = _each(Flow.iter_audit)
    introspect = _call(Flow.introspect)
    revoke = _call(Flow.revoke)
    create_token = _call(Flow.create_token)
    token_record = _call(Flow.token_record)
    token_records = _call(Flow.token_records)
    iter_token_records = _each(Flow.iter_token_records)
    update_token = _call(Flow.update_token)
    revoke_token = _call(Flow.revoke_token)
    reopen_token = _call(Flow.reopen_token)
    delete_tokens = _call(Flow.delete_tokens)
    token_usage = _call(Flow.token_usage)
    create_api_key = _call(Flow.create_api_key)
    api_key = _call(Flow.api_key)
    api_keys = _call(Flow.api_keys)
    iter_api_keys = _each(Flow.iter_api_keys)
    revoke_api_key = _call(Flow.revoke_api_key)
    reopen_api_key = _call(Flow.reopen_api_key)
    delete_api_key = _call(Flow.delete_api_key)
    contain = _call(Flow.contain)
    platforms = _call(Flow.platforms)
    public_platforms = _call(Flow.public_platforms)
    platform = _call(Flow.platform)
    create_platform = _call(Flow.create_platform)
    update_platform = _call(Flow.update_platform)
    retire_platform = _call(Flow.retire_platform)
    create_webhook = _call(Flow.create_webhook)
    webhook = _call(Flow.webhook)
    webhooks = _call(Flow.webhooks)
    iter_webhooks = _each(Flow.iter_webhooks)
    delete_webhook = _call(Flow.delete_webhook)
    rotate_webhook = _call(Flow.rotate_webhook)
    enable_webhook = _call(Flow.enable_webhook)
    ping_webhook = _call(Flow.ping_webhook)
    dead_letters = _call(Flow.dead_letters)
    iter_dead_letters = _each(Flow.iter_dead_letters)
    retry_dead_letters = _call(Flow.retry_dead_letters)
    submit = _call(Flow.submit)
    compute_status = _call(Flow.compute_status)
    compute_result = _call(Flow.compute_result)
    compute_data = _call(Flow.compute_data)
    cancel_compute = _call(Flow.cancel_compute)
    rerun = _call(Flow.rerun)
    compute_jobs = _call(Flow.compute_jobs)
    availability = _call(Flow.availability)
    platform_details = _call(Flow.platform_details)
    heartbeat = _call(Flow.heartbeat)
    next_job = _call(Flow.next_job)
    complete_and_next = _call(Flow.complete_and_next)
    report_progress = _call(Flow.report_progress)
    complete_job = _call(Flow.complete_job)
    fail_job = _call(Flow.fail_job)
    canceled_job = _call(Flow.canceled_job)
    requeue_job = _call(Flow.requeue_job)
    iter_compute_jobs = _each(Flow.iter_compute_jobs)
    watch_compute = _each(Flow.watch_compute)
    health = _call(Flow.health)
    ready = _call(Flow.ready)

    def close(self) -> None:
        """Close the connections; those of another client, as ``with_token`` made this one, stay open."""
        if self._owner:
            self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, operation: Operation[T]) -> T:
        """Do what ``operation`` yields, and return its result."""
        reply: Reply | None = None
        while True:
            try:
                step = operation.send(reply)
            except StopIteration as end:
                result: T = end.value
                return result
            reply = self._do(step)

    def _iterate(self, stream: Stream[T]) -> Iterator[T]:
        """Do what ``stream`` yields, and yield its items."""
        reply: Reply | None = None
        while True:
            try:
                step = stream.send(reply)
            except StopIteration:
                return
            if isinstance(step, Item):
                reply = None
                yield step.value
            else:
                reply = self._do(step)

    def _do(self, step: Request | Sleep) -> Reply | None:
        if isinstance(step, Sleep):
            self._sleep(step.seconds)
            return None
        return self._channel.ask(step)
