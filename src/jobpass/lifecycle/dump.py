"""``Lifecycle`` -> TOML text, which ``parse`` reads back as the same lifecycle."""

from __future__ import annotations

import json
from collections.abc import Iterable

from jobpass.lifecycle.draft import ANY, SAME
from jobpass.lifecycle.model import Event, Lifecycle


def dump(lifecycle: Lifecycle) -> str:
    """The shortest spelling: ``ANY`` and ``SAME`` where they fit, ``moves`` only where an event has several targets."""
    head = [f"name = {_text(lifecycle.name)}", f"initial = {_text(lifecycle.initial)}"]
    if lifecycle.description:
        head.insert(1, f"description = {_text(lifecycle.description)}")
    if lifecycle.final:
        head.append(f"final = {_texts(state.name for state in lifecycle.states if state.final)}")
    states = ["[states]", *(f"{state.name} = {_text(state.description)}" for state in lifecycle.states)]
    blocks = [head, states, *(_event(lifecycle, event) for event in lifecycle.events)]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _event(lifecycle: Lifecycle, event: Event) -> list[str]:
    block = [f"[events.{event.name}]"]
    if event.description:
        block.append(f"description = {_text(event.description)}")
    groups = moves_of(lifecycle, event.name)
    if len(groups) == 1:
        sources, target = groups[0]
        block += [f"from = {_from(lifecycle, sources)}", f"to = {_text(target)}"]
    else:
        block.append("moves = [")
        block += [f"  {{ from = {_from(lifecycle, sources)}, to = {_text(target)} }}," for sources, target in groups]
        block.append("]")
    if event.admin_only:
        block.append("admin_only = true")
    return block


def moves_of(lifecycle: Lifecycle, event: str) -> list[tuple[tuple[str, ...], str]]:
    """The event's moves, grouped by where they lead; ``SAME`` if each of several states stays as it is."""
    pairs = [(s.name, lifecycle.table[s.name, event]) for s in lifecycle.states if (s.name, event) in lifecycle.table]
    if len(pairs) > 1 and all(source == target for source, target in pairs):
        return [(tuple(source for source, _ in pairs), SAME)]
    groups: dict[str, list[str]] = {}
    for source, target in pairs:
        groups.setdefault(target, []).append(source)
    return [(tuple(sources), target) for target, sources in groups.items()]


def _from(lifecycle: Lifecycle, sources: tuple[str, ...]) -> str:
    if len(sources) == len(lifecycle.states) > 1:
        return _text(ANY)
    return _text(sources[0]) if len(sources) == 1 else _texts(sources)


def _text(value: str) -> str:
    # JSON's escapes are TOML's too; a description holds no control characters, so nothing else differs.
    return json.dumps(value, ensure_ascii=False)


def _texts(values: Iterable[str]) -> str:
    return f"[{', '.join(_text(value) for value in values)}]"
