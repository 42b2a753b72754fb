"""The keyed hash chain of a history: each link binds an event to all that came before it.

``link = HMAC-SHA256(chain key, parts)``, each part preceded by its length in 4 bytes, big-endian. The parts, in order:
previous link (32 bytes), job uuid, event uuid, sequence, time, name, data, resulting state, credential, idempotency
key. Texts are UTF-8; sequence and time (microseconds since the epoch) are decimal ASCII; no key is an empty part.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from functools import lru_cache

from jobpass.clock import to_microseconds
from jobpass.errors import KeyringError
from jobpass.records import NO_LINK, Event, Job
from jobpass.tokens.mac import MacKey

ChainKeys = Callable[[str], bytes]
"""kid → chain key; raises ``KeyringError`` for a kid that is not there."""


def link(chain_key: bytes, previous: bytes, job_uuid: str, event: Event) -> bytes:
    """The link of ``event`` (its own ``link`` and ``kid`` are not read) after ``previous``; 32 bytes."""
    parts = (
        previous,
        job_uuid.encode(),
        event.uuid.encode(),
        b"%d" % event.sequence,
        b"%d" % to_microseconds(event.at),
        event.name.encode(),
        event.data,
        event.state.encode(),
        event.credential.encode(),
        event.key.encode() if event.key is not None else b"",
    )
    return mac(chain_key, parts)


def mac(chain_key: bytes, parts: Iterable[bytes]) -> bytes:
    """The HMAC-SHA256 of the parts, each preceded by its length in 4 bytes: no two lists of parts share a message."""
    framed = []
    for part in parts:
        size = len(part)
        framed.append(_LENGTHS[size] if size < len(_LENGTHS) else size.to_bytes(4, "big"))
        framed.append(part)
    return _mac_key(chain_key).mac(b"".join(framed))


_LENGTHS = [size.to_bytes(4, "big") for size in range(512)]
_mac_key = lru_cache(maxsize=64)(MacKey)
"""A few root keys at the most, so that their padded halves are hashed once."""


def first_break(job: Job, events: Iterable[Event], keys: ChainKeys) -> int | None:
    """The sequence of the first bad or missing link of ``job``, or None if the whole history holds.

    ``events`` are all events of the job, in order. The job's state, last event, sequence and head are compared with
    the last event too; where only these differ, the answer is the sequence that the row claims.
    """
    previous, sequence = NO_LINK, 0
    last: Event | None = None
    for event in events:
        sequence += 1
        if event.sequence != sequence:
            return sequence
        if not _holds(event, previous, job.uuid, keys):
            return sequence
        previous, last = event.link, event
    if last is None or job.sequence > sequence:
        return sequence + 1
    row = (job.sequence, job.head, job.state, job.last_event)
    if row != (last.sequence, last.link, last.state, last.name):
        return job.sequence
    return None


def _holds(event: Event, previous: bytes, job_uuid: str, keys: ChainKeys) -> bool:
    try:
        key = keys(event.kid)
    except KeyringError:  # whoever edits a history can name any key: a link of a key that is not ours is a bad one
        return False
    return hmac.compare_digest(link(key, previous, job_uuid, event), event.link)
