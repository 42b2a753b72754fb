"""Good logs and histories for the checker's own tests: clients and a sound server, step by step, as hypothesis draws.

Nothing here is shared with the checker but the records and the lifecycle's table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from faults.calls import Call, Entry, canonical
from jobpass.lifecycle.standard import PIPELINE

JOB = "job"
EVENTS = ("run", "update", "resource", "finish", "index", "indexed", "validate", "validated")


@dataclass
class Asked:
    """A request of a client that is somewhere between its beginning and its end."""

    kind: str
    invoked_at: float
    name: str = ""
    key: str = ""
    answer: dict[str, Any] | None = None
    """None until the server has judged it."""


@dataclass
class World:
    """A server with one job, clients, and a clock that moves one second with each step."""

    now: float = 0.0
    state: str = PIPELINE.initial
    history: list[Entry] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    busy: dict[str, Asked] = field(default_factory=dict)
    adrift: list[Asked] = field(default_factory=list)
    """Requests whose client has given up: they may still be judged."""
    keys: list[tuple[str, str]] = field(default_factory=list)

    def judge(self, asked: Asked) -> None:
        """What the server does with a request, at one moment."""
        if asked.kind == "read":
            asked.answer = {"sequence": len(self.history), "state": self.state if self.history else ""}
        elif asked.kind == "page":
            asked.answer = {"sequence": len(self.history), "seen": tuple(self.history[-3:])}
        else:
            asked.answer = self._judge_event(asked)

    def _judge_event(self, asked: Asked) -> dict[str, Any]:
        data = canonical({"key": asked.key})
        entry = next((entry for entry in self.history if entry.data == data), None)
        if entry is None:
            after = PIPELINE.table.get((self.state, asked.name))
            if after is None:
                return {"outcome": "refused", "code": "illegal_transition", "state": self.state}
            number = len(self.history) + 1
            entry = Entry(number, f"uuid-{number}", asked.name, data, after, f"link-{number}")
            self.history.append(entry)
            self.state = after
        return {"sequence": entry.sequence, "state": entry.state, "event_uuid": entry.uuid}

    def begin(self, client: str, kind: str, name: str, key: str | None) -> None:
        """A client asks; ``key`` None takes a fresh one."""
        if kind == "send" and key is None:
            key = f"key-{len(self.keys)}"
            self.keys.append((name, key))
        self.busy[client] = Asked(kind, self.now, name, key or "")

    def end(self, client: str, *, answered: bool) -> None:
        """A client is answered, or gives up."""
        asked = self.busy.pop(client)
        answer = {"outcome": "ok"} | asked.answer if answered and asked.answer else {"outcome": "unknown"}
        event = {"name": asked.name, "key": asked.key, "data": canonical({"key": asked.key})}
        self.calls.append(
            Call(
                client=client,
                job=JOB,
                kind=asked.kind,
                invoked_at=asked.invoked_at,
                returned_at=self.now if answered else None,
                **(event if asked.kind == "send" else {}),
                **answer,
            )
        )
        if not answered and asked.answer is None:
            self.adrift.append(asked)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A run of up to four clients; at its end everybody has been answered or has given up."""
    world = World()
    clients = [f"client-{number}" for number in range(draw(st.integers(1, 4)))]
    world.begin("maker", "send", "create", None)
    world.judge(world.busy["maker"])
    world.end("maker", answered=True)
    for _ in range(draw(st.integers(5, 60))):
        world.now += 1
        if world.adrift and draw(st.integers(0, 7)) == 0:
            world.judge(world.adrift.pop(draw(st.integers(0, len(world.adrift) - 1))))
            continue
        _step(draw, world, draw(st.sampled_from(clients)))
    for client in list(world.busy):
        world.now += 1
        world.end(client, answered=world.busy[client].answer is not None)
    return world


def _step(draw: st.DrawFn, world: World, client: str) -> None:
    """What is next for this client: to ask, to be judged, or to end."""
    asked = world.busy.get(client)
    if asked is None:
        kind = draw(st.sampled_from(["send"] * 5 + ["read", "page"]))
        if kind == "send" and draw(st.integers(0, 4)) == 0:
            world.begin(client, "send", *draw(st.sampled_from(world.keys)))
        else:
            world.begin(client, kind, draw(st.sampled_from(EVENTS)) if kind == "send" else "", None)
    elif asked.answer is None and draw(st.integers(0, 9)) > 0:
        world.judge(asked)
    else:
        world.end(client, answered=asked.answer is not None and draw(st.integers(0, 9)) > 0)
