"""Requests to an application in this process.

It has a thread of its own, the *keeper*, with an event loop. What a request needs is done there; but an event, whose
speed counts, is worked on by the thread that sends it, as far as that goes without waiting: nearly always to its end,
unless the application has to wait for a database.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
import types
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Self

from jobpass.client.exchange import Lost, Reply, Request
from jobpass.client.inprocess_call import App, Call
from jobpass.client.undisturbed import Undisturbed, may_work_here
from jobpass.errors import ServerUnavailable

Work = Coroutine[Any, Any, None]

IDLE_SECONDS: Final = 1.0
"""How often the keeper looks after what the application does by itself."""
SLICE_SECONDS: Final = 0.005
"""How long the loop then runs, if nothing comes."""
FORK_SECONDS: Final = 5.0
"""How long a fork waits for what is under way."""
EVENTS: Final = "/events"
"""How the path of an event ends."""


class InProcess:
    """Runs what ``lifespan`` opens: entered when this is made, left on ``close``.

    ``lifespan`` makes an asynchronous context manager that gives the application; what it raises on entering, the
    constructor raises. ``loop_factory`` makes another event loop than asyncio's own. With ``waits`` the keeper does
    all: what waits for a database needs a task, which the step of another thread is not. May be shared by threads.

    Who holds the *helm* is the only one who runs the loop or anything that belongs to it. A thread with an event takes
    it if it is free. Everything else is counted and left to the keeper, who gets the helm from whoever lets it go. A
    process that was forked off has no keeper, and no right to the application's files: there it counts as closed.
    """

    def __init__(
        self,
        lifespan: Callable[[], AbstractAsyncContextManager[App]],
        *,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
        waits: bool = False,
    ) -> None:
        self._waits = waits
        self._helm = threading.Lock()
        self._called = threading.Lock()  # free once the keeper was called; the helm is the keeper's from then on
        self._called.acquire()
        self._counting = threading.Lock()
        self._left = 0  # what was left to the keeper and has not ended; as ``_closed``, changed under ``_counting``
        self._closed = False
        self._process = os.getpid()
        self._pausing = False
        self._resumed = threading.Event()
        ready: Future[None] = Future()
        self._keeper = threading.Thread(
            target=self._keep, args=(lifespan, loop_factory, ready), name="jobpass-inprocess", daemon=True
        )
        self._keeper.start()
        try:
            ready.result()
        except BaseException:
            self._keeper.join()
            raise
        _living.add(self)

    def ask(self, request: Request) -> Reply:
        """The application's answer; ``Lost`` if it is not whole in the request's time (the work goes on)."""
        call = Call(request)
        started = time.monotonic()
        with Undisturbed():
            if not self._begin(call.run(self._app), here=not self._waits and request.path.endswith(EVENTS)):
                return Lost("no connection", sent=False)
        limit = min(request.timeout_seconds, threading.TIMEOUT_MAX)
        if not call.done.acquire(timeout=max(0.0, started + limit - time.monotonic())):
            return Lost("no answer in time", sent=True, elapsed_seconds=time.monotonic() - started)
        return call.response(time.monotonic() - started)

    def run(self, make: Callable[[], Work]) -> None:
        """Carry out a coroutine beside the application, and wait for its end; ``ServerUnavailable`` once closed."""
        done: Future[None] = Future()
        with Undisturbed():
            if not self._begin(_answering(make, done), here=False):
                raise ServerUnavailable("The client is closed.")
        done.result()

    def close(self) -> None:
        """Answer what was accepted, and leave the lifespan; more calls do nothing."""
        if os.getpid() != self._process:
            return
        with Undisturbed():
            with self._counting:
                self._closed = True
            self._call_keeper()
        self._keeper.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_ours(self) -> bool:
        """Whether this process has made it, and can use it."""
        return os.getpid() == self._process and self._keeper.is_alive()

    def _begin(self, work: Work, *, here: bool) -> bool:
        """Have the work done, ``here`` if that can be; False, and nothing is done, once this is closed."""
        if os.getpid() != self._process:
            work.close()
            return False
        if self._pausing:
            self._resumed.wait()
        if here and may_work_here() and self._helm.acquire(blocking=False):
            return self._step(work)
        with self._counting:
            if self._closed:
                work.close()
                return False
            self._left += 1
        self._loop.call_soon_threadsafe(self._start, work)
        self._call_keeper()
        return True

    def _step(self, work: Work) -> bool:
        """At the helm: do the work until it has to wait; what then remains is for the keeper."""
        try:
            if self._closed:
                work.close()
                return False
            asyncio._set_running_loop(self._loop)
            try:
                awaited = work.send(None)
            except StopIteration:
                return True
            finally:
                asyncio._set_running_loop(None)
            with self._counting:
                self._left += 1
            self._start(_rest(work, awaited))
            return True
        finally:
            self._leave_helm()

    def _leave_helm(self) -> None:
        self._helm.release()
        if self._left or self._closed:
            self._call_keeper()

    def _call_keeper(self) -> None:
        """Give the helm to the keeper, unless somebody has it, who then does so in turn (``_leave_helm``)."""
        if self._helm.acquire(blocking=False):
            self._called.release()

    def pause(self) -> bool:
        """Take the helm when nothing is under way, and let nothing begin: before a fork, so that the child gets whole
        files. False if that takes too long, or is asked by what is under way; ``resume`` is due in either case."""
        self._resumed.clear()
        self._pausing = True
        until = time.monotonic() + FORK_SECONDS
        while asyncio._get_running_loop() is not self._loop and time.monotonic() < until:
            if self._helm.acquire(timeout=0.1):
                if not self._left:
                    return True
                self._leave_helm()
            time.sleep(0.0005)
        return False

    def resume(self, *, paused: bool) -> None:
        """Let all go on; ``paused`` is what ``pause`` said."""
        self._pausing = False
        self._resumed.set()
        if paused:
            self._leave_helm()

    def _start(self, work: Awaitable[None]) -> None:
        task = self._loop.create_task(self._finish(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, work: Awaitable[None]) -> None:
        """Do what was left to the keeper."""
        try:
            await work
        finally:
            with self._counting:
                self._left -= 1
            if not self._left:
                self._loop.stop()

    def _keep(
        self,
        lifespan: Callable[[], AbstractAsyncContextManager[App]],
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
        ready: Future[None],
    ) -> None:
        """What the keeper does, from opening to closing."""
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            self._loop = runner.get_loop()
            self._tasks: set[asyncio.Task[None]] = set()  # the loop itself holds them weakly
            try:
                opened = lifespan()
                self._app = runner.run(_enter(opened))
            except BaseException as error:
                ready.set_exception(error)
                return
            ready.set_result(None)
            self._stand_by()
            self._loop.stop()  # and take an earlier order to stop out of the queue, if one is left there
            self._loop.run_forever()
            runner.run(_leave(opened))

    def _stand_by(self) -> None:
        """Take the helm when called, and now and then; return, at the helm, when all is done after ``close``."""
        while True:
            if not self._called.acquire(timeout=IDLE_SECONDS) and not self._helm.acquire(blocking=False):
                continue  # somebody is at the helm, and will leave it
            pause = self._loop.call_later(SLICE_SECONDS, self._loop.stop)
            self._loop.run_forever()
            pause.cancel()
            if self._closed and not self._left:
                return
            self._leave_helm()


_living: weakref.WeakSet[InProcess] = weakref.WeakSet()
_paused: list[tuple[InProcess, bool]] = []
_forking = threading.Lock()


def _before_fork() -> None:
    _forking.acquire()
    _paused.extend((one, one.pause()) for one in list(_living) if one.is_ours)


def _after_fork_in_parent() -> None:
    for one, paused in _paused:
        one.resume(paused=paused)
    _paused.clear()
    _forking.release()


def _after_fork_in_child() -> None:
    _paused.clear()  # these are the parent's, and count as closed here
    _living.clear()
    _forking.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


async def _enter(opened: AbstractAsyncContextManager[App]) -> App:
    return await opened.__aenter__()


async def _leave(opened: AbstractAsyncContextManager[App]) -> None:
    await opened.__aexit__(None, None, None)


async def _answering(make: Callable[[], Work], done: Future[None]) -> None:
    """Do the work, and pass on what became of it."""
    try:
        await make()
    except asyncio.CancelledError:
        done.set_exception(ServerUnavailable("The work was given up."))
    except BaseException as error:
        done.set_exception(error)
    else:
        done.set_result(None)


@types.coroutine
def _rest(work: Work, awaited: Any) -> Generator[Any, Any, None]:
    """What remains of the work, which has begun and waits for ``awaited``."""
    while True:
        resume, value = work.send, None
        try:
            value = yield awaited
        except BaseException as error:
            resume, value = work.throw, error
        try:
            awaited = resume(value)
        except StopIteration:
            return
