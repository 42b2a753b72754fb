"""Whatever a sound server does passes; whatever is broken in its record or in an answer is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from faults.calls import Call, Entry, canonical
from faults.checker import check
from faults.model import EVENTS, JOB, World, worlds
from jobpass.lifecycle.standard import PIPELINE


class Broken(NamedTuple):
    """A log, a history, and which violations tell what is wrong with them, any of them."""

    calls: list[Call]
    history: list[Entry]
    wrong: set[str]


def settled(history: list[Entry]) -> list[Entry]:
    """The same events as if they had happened so: sequences and states follow each other, where they can."""
    state, made = PIPELINE.initial, []
    for number, entry in enumerate(history, 1):
        state = PIPELINE.table.get((state, entry.name), entry.state)
        made.append(replace(entry, sequence=number, state=state))
    return made


def acknowledged(world: World) -> list[Call]:
    return [call for call in world.calls if call.kind == "send" and call.outcome == "ok"]


def any_of(draw: st.DrawFn, choices: list) -> object:
    assume(choices)
    return draw(st.sampled_from(choices))


def swap(calls: list[Call], old: Call, **fields: object) -> list[Call]:
    return [replace(call, **fields) if call is old else call for call in calls]


def lost(draw: st.DrawFn, world: World) -> Broken:
    """An acknowledged event is not there, and what follows has closed the gap."""
    call = any_of(draw, acknowledged(world))
    history = [entry for entry in world.history if entry.uuid != call.event_uuid]
    return Broken(world.calls, settled(history), {"lost"})


def cut_out(draw: st.DrawFn, world: World) -> Broken:
    """An event is not there, and has left a gap."""
    place = draw(st.integers(0, len(world.history) - 1))
    assume(place < len(world.history) - 1)
    return Broken(world.calls, world.history[:place] + world.history[place + 1 :], {"gap"})


def truncated(draw: st.DrawFn, world: World) -> Broken:
    """The end is not there."""
    call = any_of(draw, acknowledged(world))
    return Broken(world.calls, world.history[: call.sequence - 1], {"lost"})


def doubled(draw: st.DrawFn, world: World) -> Broken:
    """An event is there again, further on, under another uuid."""
    entry = any_of(draw, world.history)
    again = replace(entry, uuid="another", link="another")
    return Broken(world.calls, settled([*world.history, again]), {"doubled"})


def reordered(draw: st.DrawFn, world: World) -> Broken:
    """Two acknowledged events have changed places."""
    calls = {call.sequence: call for call in acknowledged(world)}
    one, two = any_of(draw, calls and [(one, two) for one in calls for two in calls if one < two])
    history = list(world.history)
    history[one - 1], history[two - 1] = history[two - 1], history[one - 1]
    return Broken(world.calls, settled(history), {"moved"})


def reordered_in_answers_too(draw: st.DrawFn, world: World) -> Broken:
    """The second event was asked for when the first had been answered; record and answers agree that it came first."""
    calls = acknowledged(world)
    once = [call for call in calls if sum(other.key == call.key for other in world.calls) == 1]
    pairs = [(one, two) for one in once for two in once if one.returned_at < two.invoked_at and one.name == two.name]
    one, two = any_of(draw, pairs)
    history = list(world.history)
    mine, others = history[one.sequence - 1], history[two.sequence - 1]
    history[one.sequence - 1] = replace(mine, data=others.data, uuid=others.uuid)
    history[two.sequence - 1] = replace(others, data=mine.data, uuid=mine.uuid)
    answers = {id(one): (two.sequence, two.state), id(two): (one.sequence, one.state)}
    changed = [
        replace(call, sequence=answers[id(call)][0], state=answers[id(call)][1]) if id(call) in answers else call
        for call in world.calls
        if call.kind != "page"
    ]
    return Broken(changed, history, {"order"})


def illegal(draw: st.DrawFn, world: World) -> Broken:
    """An event has led to another state."""
    place = draw(st.integers(0, len(world.history) - 1))
    entry = world.history[place]
    other = draw(st.sampled_from([one.name for one in PIPELINE.states if one.name != entry.state]))
    history = [*world.history[:place], replace(entry, state=other), *world.history[place + 1 :]]
    return Broken(world.calls, history, {"state"})


def fabricated(draw: st.DrawFn, world: World) -> Broken:
    """Something stands that nobody asked for."""
    name = draw(st.sampled_from(EVENTS))
    place = draw(st.integers(1, len(world.history)))
    history = list(world.history)
    history.insert(place, Entry(0, "made-up", name, canonical({"key": "nobody's"}), world.state))
    return Broken(world.calls, settled(history), {"fabricated"})


def never_asked(draw: st.DrawFn, world: World) -> Broken:
    """A client says that it never asked for what stands."""
    call = any_of(draw, acknowledged(world))
    return Broken([one for one in world.calls if one.key != call.key], world.history, {"fabricated"})


def refused_and_there(draw: st.DrawFn, world: World) -> Broken:
    """What was refused stands."""
    sends = [call for call in world.calls if call.kind == "send"]
    keys = {call.key for call in sends if call.outcome != "refused"}
    call = any_of(draw, [call for call in sends if call.key not in keys])
    entry = Entry(0, "in-spite", call.name, call.data, world.state)
    return Broken(world.calls, settled([*world.history, entry]), {"refused"})


def other_answer(draw: st.DrawFn, world: World) -> Broken:
    """An answer told another sequence, state or uuid than what stands."""
    call = any_of(draw, acknowledged(world))
    told = draw(st.sampled_from([{"sequence": call.sequence + 1}, {"state": "RESET"}, {"event_uuid": "another"}]))
    return Broken(swap(world.calls, call, **told), world.history, {"moved"})


def other_replay(draw: st.DrawFn, world: World) -> Broken:
    """The same key was given another answer."""
    call = any_of(draw, [call for call in acknowledged(world) if call.event_uuid])
    again = replace(call, invoked_at=world.now + 1, returned_at=world.now + 2, sequence=call.sequence + 1)
    return Broken([*world.calls, again], world.history, {"replay"})


def refused_replay(draw: st.DrawFn, world: World) -> Broken:
    """The same key was refused after it was recorded."""
    call = any_of(draw, acknowledged(world))
    again = replace(call, invoked_at=world.now + 1, returned_at=world.now + 2, outcome="refused", code="any")
    return Broken([*world.calls, again], world.history, {"replay"})


def stale(draw: st.DrawFn, world: World) -> Broken:
    """A read shows what was there before something that had been acknowledged."""
    call = any_of(draw, [call for call in acknowledged(world) if call.sequence > 1])
    place = draw(st.integers(1, call.sequence - 1))
    read = Call(
        client="reader",
        job=JOB,
        kind="read",
        invoked_at=call.returned_at + 0.25,
        returned_at=world.now + 1,
        outcome="ok",
        sequence=place,
        state=world.history[place - 1].state,
    )
    return Broken([*world.calls, read], world.history, {"stale"})


def going_back(draw: st.DrawFn, world: World) -> Broken:
    """Of two reads, one after the other, the second shows less; the events by themselves would allow either."""
    assume(len(world.history) > 1)
    later = draw(st.integers(2, len(world.history)))
    fields = {"client": "reader", "job": JOB, "kind": "read", "outcome": "ok"}
    seen = [(later, world.now + 1), (later - 1, world.now + 3)]
    reads = [
        Call(**fields, invoked_at=at, returned_at=at + 1, sequence=place, state=world.history[place - 1].state)
        for place, at in seen
    ]
    calls = [call for call in world.calls if call.kind == "send"]
    unanswered = [replace(call, outcome="unknown", returned_at=None) for call in calls if call.outcome == "ok"]
    return Broken([*unanswered, *reads], world.history, {"stale"})


def ahead(draw: st.DrawFn, world: World) -> Broken:
    """A read shows what nobody had asked for yet."""
    first = {}
    for call in world.calls:
        if call.kind == "send":
            first[call.data] = min(call.invoked_at, first.get(call.data, call.invoked_at))
    later = any_of(draw, [entry for entry in world.history if first[entry.data] > 1])
    at = first[later.data] - 0.5
    read = Call(
        client="reader",
        job=JOB,
        kind="read",
        invoked_at=at - 0.25,
        returned_at=at,
        outcome="ok",
        sequence=later.sequence,
        state=later.state,
    )
    return Broken([*world.calls, read], world.history, {"ahead"})


def wrong_refusal(draw: st.DrawFn, world: World) -> Broken:
    """An event was refused where it is legal, or for another reason."""
    last = world.history[-1]
    name = any_of(draw, [name for name in EVENTS if (last.state, name) in PIPELINE.table])
    why = draw(st.sampled_from([("illegal_transition", last.state), ("invalid_token", "")]))
    return Broken([*world.calls, refusal(world, name, *why)], world.history, {"refusal"})


def refusal_elsewhere(draw: st.DrawFn, world: World) -> Broken:
    """An event was refused in a state in which the job was not at that time."""
    others = [one.name for one in PIPELINE.states if one.name != world.history[-1].state]
    state = draw(st.sampled_from(others))
    name = any_of(draw, [name for name in EVENTS if (state, name) not in PIPELINE.table])
    last = next((call for call in world.calls if call.event_uuid == world.history[-1].uuid), None)
    assume(last is not None and last.outcome == "ok")
    return Broken([*world.calls, refusal(world, name, "illegal_transition", state)], world.history, {"refusal"})


def refusal(world: World, name: str, code: str, state: str) -> Call:
    """One after the end of everything."""
    return Call(
        client="late",
        job=JOB,
        kind="send",
        invoked_at=world.now + 1,
        returned_at=world.now + 2,
        outcome="refused",
        name=name,
        data=canonical({"key": "late"}),
        key="late",
        code=code,
        state=state,
    )


def rewritten(draw: st.DrawFn, world: World) -> Broken:
    """A page showed an event otherwise than it stands."""
    call = any_of(draw, [call for call in world.calls if call.seen])
    seen = draw(st.integers(0, len(call.seen) - 1))
    fields = draw(st.sampled_from([{"uuid": "x"}, {"name": "x"}, {"data": "x"}, {"state": "x"}, {"link": "x"}]))
    pages = (*call.seen[:seen], replace(call.seen[seen], **fields), *call.seen[seen + 1 :])
    return Broken(swap(world.calls, call, seen=pages), world.history, {"rewritten"})


MUTATIONS = (
    lost,
    cut_out,
    truncated,
    doubled,
    reordered,
    reordered_in_answers_too,
    illegal,
    fabricated,
    never_asked,
    refused_and_there,
    other_answer,
    other_replay,
    refused_replay,
    stale,
    going_back,
    ahead,
    wrong_refusal,
    refusal_elsewhere,
    rewritten,
)


@given(worlds())
def test_what_a_sound_server_does_passes(world: World) -> None:
    assert check(world.calls, {JOB: world.history}, PIPELINE) == []


@given(worlds(), st.randoms())
def test_the_order_of_the_log_does_not_matter(world: World, random: object) -> None:
    random.shuffle(world.calls)
    assert check(world.calls, {JOB: world.history}, PIPELINE) == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_what_is_broken_is_found(mutation: Callable[[st.DrawFn, World], Broken], data: st.DataObject) -> None:
    broken = mutation(data.draw, data.draw(worlds()))
    found = check(broken.calls, {JOB: broken.history}, PIPELINE)
    assert broken.wrong & {violation.wrong for violation in found}, found


@given(worlds(), st.integers(1, 9))
def test_a_chain_that_breaks_is_told(world: World, sequence: int) -> None:
    found = check(world.calls, {JOB: world.history}, PIPELINE, [(JOB, sequence)])
    assert [violation.wrong for violation in found] == ["chain"]
