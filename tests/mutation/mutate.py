"""Remove every check of the decision path in turn; the suite must fail each time.

``make mutation`` runs it. A *mutant* is the package with one check taken out of ``gate``, ``decide``, ``verify`` or
``caveats``: a refusing ``if`` that is never taken, a permitting one that always is, one operand of a condition ignored,
an answer that is always yes. The checked-out code is not touched: each mutant is a copy in a temporary folder. Ends
with status 0 if every mutant was caught, but for those in ``EQUIVALENT``, whose reason stands beside them.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "jobpass"
TARGETS = {
    "authority/adoption.py": ("tests/authority/test_adoption.py",),
    "authority/callbacks.py": ("tests/server/test_callbacks.py", "tests/authority/test_callbacks.py"),
    "authority/decide.py": ("tests/authority",),
    "authority/gate.py": ("tests/authority",),
    "authority/details.py": ("tests/authority",),
    "authority/legacy.py": ("tests/server/test_legacy.py",),
    "stores/sqlite/queries.sql": ("tests/stores/test_imports.py",),
    "authority/resetting.py": ("tests/authority",),
    "authority/secret.py": ("tests/test_secret.py",),
    "authority/standing.py": ("tests/authority", "tests/server/test_webhooks.py", "tests/server/test_tokens.py"),
    "authority/telling.py": ("tests/authority",),
    "authority/submissions.py": ("tests/authority/test_compute.py", "tests/authority/test_workers.py"),
    "authority/payload.py": ("tests/authority/test_compute.py",),
    "authority/work_judges.py": ("tests/authority/test_compute.py", "tests/authority/test_workers.py"),
    "authority/workers.py": ("tests/authority/test_compute.py", "tests/authority/test_workers.py"),
    "authority/webhook_secrets.py": ("tests/authority",),
    "authority/webhooks.py": ("tests/authority", "tests/server/test_webhooks.py"),
    "compose/secret.py": ("tests/test_secret.py", "tests/cli/test_upkeep.py"),
    "outbox/addresses.py": ("tests/outbox/test_addresses.py",),
    "outbox/places.py": ("tests/outbox/test_places.py",),
    "outbox/target.py": ("tests/outbox/test_target.py",),
    "tokens/verify.py": ("tests/tokens", "tests/authority"),
    "tokens/caveats.py": ("tests/tokens", "tests/authority"),
    "tokens/ticket.py": ("tests/tokens/test_ticket.py", "tests/server/test_callbacks.py"),
}
"""Each file with the part of the suite that answers for it."""

CONDITIONS = {"find_legacy": ("job.serial = legacy_token.serial", "job.kid = legacy_token.kid", "job.uuid = ?")}
"""Of queries, by name: what keeps an old token from being that of another job, or of a job that has a new one."""

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "authority/callbacks.py",
        "_identity",
        "never: if core is None",
    ): "nobody comes so far without a ticket; mypy wants the guard",
    (
        "tokens/ticket.py",
        "is_ticket",
        "without (end is not None): return core(caveats) is not None and end is not None and "
        "(moment(end) <= at + MAX_LIFE + SKEW)",
    ): "what has a core has an end; mypy wants the guard",
    (
        "authority/decide.py",
        "_serial_lives",
        "without (until is not None): return until is not None and previous and (access.at < until)",
    ): "a row without an end of its grace has no previous serial either; mypy wants the guard",
    (
        "tokens/caveats.py",
        "prohibits",
        "as if (access.state is not None): if access.event is None or (access.state is not None and access.event in "
        "self.allowed.get(access.state, ()))",
    ): "no caveat lists events for the state None; mypy wants the guard",
    (
        "tokens/caveats.py",
        "prohibits",
        "as if (access.address is not None): if access.address is not None and _within(access.address, self.allowed)",
    ): "None is no address, and so within no network; mypy wants the guard",
    (
        "authority/workers.py",
        "standing",
        "without (job.work is None): if job is None or job.work is None",
    ): "no token is that of a lease of a job without work: the gate has said so; mypy wants the guard",
    (
        "authority/standing.py",
        "anew",
        "never: if session is None",
    ): "no record of a credential is ever taken away; mypy wants the guard",
    (
        "authority/submissions.py",
        "rerun",
        "without (job is None): if job is None or old is None or job.owner != principal_of(bearer).id",
    ): "without a job there is no work either; mypy wants the guard",
    (
        "authority/submissions.py",
        "_queue",
        "never: if job is None",
    ): "a submission deletes no job; mypy wants the guard",
    (
        "authority/resetting.py",
        "_job",
        "never: if probed.after is None",
    ): "whoever probes has a job, or was refused; mypy wants the guard",
    (
        "authority/resetting.py",
        "_empty",
        "never: if system is None",
    ): "the file systems refuse a job without a system too; mypy wants the guard",
    (
        "outbox/addresses.py",
        "_is_public",
        "without (address.is_global): return address.is_global and (isinstance(address, IPv4Address) or address in "
        "PUBLIC_V6)",
    ): "today's list of Python refuses nothing that ours does not",
    (
        "tokens/verify.py",
        "_remember",
        "always: if not self._half",
    ): "no check: a cache that keeps less answers the same",
}
"""(file, function, mutation) → why nothing can tell it from the original."""

SECONDS = 300
"""For one run of the suite; one that takes longer counts as failed, as a hanging check would."""


class Mutant(NamedTuple):
    """One check less."""

    file: str
    function: str
    line: int
    mutation: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}: {self.mutation}"


def mutants(file: str) -> Iterator[Mutant]:
    """Every mutant of one file."""
    text = (SOURCE / file).read_text()
    if file.endswith(".sql"):
        yield from _without_conditions(file, text)
        return
    tree = ast.parse(text)
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]:
        for node in ast.walk(function):
            for field, replacement, mutation in _weakened(node):
                if _owner(function, node) is not function:
                    continue  # of a nested function, which has its own turn
                original = getattr(node, field)
                setattr(node, field, replacement)
                yield Mutant(file, function.name, node.lineno, mutation, ast.unparse(tree))
                setattr(node, field, original)


def _without_conditions(file: str, text: str) -> Iterator[Mutant]:
    for name, conditions in CONDITIONS.items():
        start = text.index(f"-- {name}:")
        for condition in conditions:
            at = text.index(condition, start)
            always = f"({condition} OR TRUE)"  # so that a binding stays one
            weakened = text[:at] + always + text[at + len(condition) :]
            yield Mutant(file, name, text.count("\n", 0, at) + 1, f"without ({condition})", weakened)


def _owner(function: ast.AST, wanted: ast.AST) -> ast.AST | None:
    """The innermost function below ``function`` that holds ``wanted``."""
    for child in ast.iter_child_nodes(function):
        if child is wanted:
            return function
        inner = child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        found = _owner(inner, wanted) if inner is child else _holds(child, wanted, function)
        if found is not None:
            return found
    return None


def _holds(node: ast.AST, wanted: ast.AST, function: ast.AST) -> ast.AST | None:
    for child in ast.iter_child_nodes(node):
        if child is wanted:
            return function
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            found = _owner(child, wanted)
        else:
            found = _holds(child, wanted, function)
        if found is not None:
            return found
    return None


def _weakened(node: ast.AST) -> Iterator[tuple[str, ast.expr, str]]:
    """The ways in which one node can let more through: field, what stands there instead, in words."""
    if isinstance(node, ast.If):
        source = ast.unparse(node.test)
        if _refuses(node.body):
            yield "test", ast.Constant(False), f"never: if {source}"
            for operand, less in _without(node.test, ast.Or, False):
                yield "test", less, f"without ({operand}): if {source}"
        elif _permits(node.body):
            yield "test", ast.Constant(True), f"always: if {source}"
            for operand, less in (*_without(node.test, ast.And, True), *_without(node.test, ast.Or, True)):
                yield "test", less, f"as if ({operand}): if {source}"
    elif isinstance(node, ast.AugAssign) and ast.unparse(node.target) == "objections":
        nothing = (
            ast.Tuple([], ast.Load()) if isinstance(node.value, ast.Tuple | ast.Call) else ast.List([], ast.Load())
        )
        yield "value", nothing, f"no objection: {ast.unparse(node)}"
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.IfExp):
        source = ast.unparse(node.value)
        permitted = node.value.body if _is_yes(node.value.body) else node.value.orelse
        yield "value", permitted, f"always {ast.unparse(permitted)}: return {source}"
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Compare | ast.BoolOp):
        source = ast.unparse(node.value)
        yield "value", ast.Constant(True), f"always True: return {source}"
        for operand, less in _without(node.value, ast.And, True):
            yield "value", less, f"without ({operand}): return {source}"


def _without(test: ast.expr, operator: type[ast.boolop], neutral: bool) -> Iterator[tuple[str, ast.expr]]:
    """``test`` with each operand of each ``operator`` in it replaced by ``neutral``."""
    for position, node in enumerate(ast.walk(test)):
        if isinstance(node, ast.BoolOp) and isinstance(node.op, operator):
            for index, operand in enumerate(node.values):
                less = copy.deepcopy(test)
                twin = list(ast.walk(less))[position]
                assert isinstance(twin, ast.BoolOp)
                twin.values[index] = ast.Constant(neutral)
                yield ast.unparse(operand), less


def _refuses(body: list[ast.stmt]) -> bool:
    last = body[-1]
    if isinstance(last, ast.Raise):
        return True
    if isinstance(last, ast.Return) and last.value is not None:
        return not _is_yes(last.value)
    return any("objections" in ast.unparse(one) or "Error" in ast.unparse(one) for one in body)


def _permits(body: list[ast.stmt]) -> bool:
    last = body[-1]
    return isinstance(last, ast.Return) and (last.value is None or _is_yes(last.value))


def _is_yes(value: ast.expr) -> bool:
    """Whether this is what a check answers when it has nothing against it."""
    text = ast.unparse(value)
    return text in ("None", "()", "[]", "True", "decision", "found") or text.startswith("Allowed(")


def caught(mutant: Mutant) -> bool:
    """Whether the suite fails on the mutant."""
    with tempfile.TemporaryDirectory(prefix="jobpass-mutant-") as place:
        copy_of = Path(place) / "jobpass"
        shutil.copytree(SOURCE, copy_of, ignore=shutil.ignore_patterns("__pycache__"))
        (copy_of / mutant.file).write_text(mutant.text)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *TARGETS[mutant.file]]
        environment = os.environ | {"PYTHONPATH": place, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return True
        return done.returncode != 0


def main() -> int:
    """Try all, two at a time; print those that nobody noticed."""
    parser = argparse.ArgumentParser(description="Remove each check in turn; the suite must fail.")
    parser.add_argument("--list", action="store_true", help="only name the mutants")
    parser.add_argument("files", nargs="*", help=f"of {', '.join(TARGETS)}")
    options = parser.parse_args()
    everything = [mutant for file in options.files or TARGETS for mutant in mutants(file)]
    if options.list:
        print("\n".join(map(str, everything)))
        return 0
    started, survivors = time.monotonic(), []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for mutant, noticed in zip(everything, pool.map(caught, everything), strict=True):
            if not noticed and (mutant.file, mutant.function, mutant.mutation) not in EQUIVALENT:
                survivors.append(mutant)
                print(f"NOT NOTICED  {mutant}", flush=True)
    seconds = time.monotonic() - started
    print(f"{len(everything)} mutants, {len(survivors)} not noticed, {seconds:.0f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
