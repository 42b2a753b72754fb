"""From what a job said and how its process ended to its outcome: pure."""

from __future__ import annotations

import signal
from typing import Final

from jobpass.worker import frames
from jobpass.worker.results import check_json, check_perceval
from jobpass.worker.work import FAILURE_CODES, MESSAGE_CHARACTERS, Canceled, Completed, Failed, Outcome

_SIGNALS: Final[dict[int, tuple[str, str]]] = {
    signal.SIGKILL: ("killed", "Its process was killed, perhaps because the machine ran out of memory."),
    signal.SIGXCPU: ("time_limit", "It used more CPU time than it may."),
    signal.SIGXFSZ: ("runner", "It wrote a larger file than it may."),
}


Last = frames.Done | frames.Stopped | frames.Broke


def last_word(said: Last, body: bytes, command: str, *, perceval: bool) -> Outcome:
    """What a job says of its end, checked."""
    check = check_perceval if perceval else check_json
    if isinstance(said, frames.Broke):
        code = said.failure_code if said.failure_code in FAILURE_CODES else "runner"
        return Failed(code, said.message[:MESSAGE_CHARACTERS])
    if isinstance(said, frames.Stopped) and not said.partial:
        return Canceled()
    try:
        text = check(body)
    except ValueError as problem:
        return (
            Canceled() if isinstance(said, frames.Stopped) else Failed("result", f"The result is refused: {problem}.")
        )
    return Canceled(text) if isinstance(said, frames.Stopped) else Completed(text, command, said.shots)


def judged(said: Outcome | None, ending: Canceled | Failed | None, code: int | None, partial: str | None) -> Outcome:
    """How it ended. ``ending`` is what was decided here, ``code`` the exit code, None if nobody knows it."""
    if isinstance(ending, Failed):
        return ending
    if isinstance(ending, Canceled):
        if isinstance(said, Completed | Canceled) and said.results is not None:
            return Canceled(said.results)
        return Canceled(partial)
    if isinstance(said, Canceled):
        return Failed("runner", "It stopped as if it were to be canceled, which nobody asked for.")
    if said is not None:
        return said
    if code is None:
        return Failed("interrupted", "The process that starts jobs ended.")
    if code < 0:
        name = signal.Signals(-code).name if -code in {*signal.Signals} else f"signal {-code}"
        return Failed(*_SIGNALS.get(-code, ("killed", f"Its process was ended by {name}.")))
    return Failed("runner", f"Its process left with {code} and said nothing.")
