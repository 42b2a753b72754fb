"""The page of the seed system, name by name; and the page for its users, whose code runs."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jobpass.wire import paths
from steps.api.cloud_objects.cloud_base import ACloudObject, TokenType
from steps.api.cloud_objects.cloud_job import Job
from steps.api.cloud_objects.cloud_platform import Platform
from steps.api.cloud_objects.cloud_token import ApiKey, JobToken, LoginToken
from steps.api.cloud_objects.cloud_user import User
from steps.api.utils import Api, CloudContext
from support.cloud import Cloud, make_cloud, running
from support.site import PASSWORD

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "tests/vectors/steps_page.txt"
GUIDE = ROOT / "docs/seed2.md"
RETURNS = {("JobToken", "read"): "dict[str, Any]"}
"""What the page says below a signature, and the signature otherwise: a dictionary is returned."""


LINE = re.compile(r"(?:(?P<kind>class|classmethod|property) )?(?P<name>[\w.]+)(?:\((?P<given>.*)\))?:? ?(?P<rest>.*)")


class Line(NamedTuple):
    """A line of the page, below its class."""

    cls: type
    kind: str | None
    name: str
    given: str | None
    rest: str

    def __str__(self) -> str:
        return f"{self.cls.__name__} {self.name.rpartition('.')[2]}"


def found(dotted: str) -> Any:
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


def lines() -> Iterator[Line]:
    cls: type = object
    for text in PAGE.read_text().splitlines():
        match = LINE.fullmatch(text)
        assert match, text
        cls = found(match["name"]) if match["kind"] == "class" else cls
        yield Line(cls, **match.groupdict())


LINES = list(lines())


def plain(text: str) -> str:
    """Names without their modules."""
    return re.sub(r"\bsteps\.[a-z_.]+\.(?=[A-Z])", "", text)


def of_page(given: str) -> list[tuple[str, str, str | None, Any]]:
    """Name, kind, annotation and default of each parameter of a signature on the page."""
    definition = ast.parse(f"def f({plain(given)}): ...").body[0]
    assert isinstance(definition, ast.FunctionDef)
    arguments, empty = definition.args, inspect.Parameter.empty
    defaults = [empty] * (len(arguments.args) - len(arguments.defaults)) + list(
        map(ast.literal_eval, arguments.defaults)
    )
    rest = [(arguments.kwarg.arg, "VAR_KEYWORD", None, empty)] if arguments.kwarg else []
    return [
        *(
            (one.arg, "POSITIONAL_OR_KEYWORD", ast.unparse(one.annotation) if one.annotation else None, default)
            for one, default in zip(arguments.args, defaults, strict=True)
        ),
        *rest,
    ]


def compare(function: Any, given: str) -> None:
    """The signature has the page's names, kinds, defaults and, where it has any, annotations.

    ``str = None`` is the page's way of writing that None may stand there, too.
    """
    ours = [one for one in inspect.signature(function).parameters.values() if one.name != "self"]
    page = of_page(given)
    assert [(one.name, one.kind.name, one.default) for one in ours] == [
        (name, kind, rest) for name, kind, _, rest in page
    ]
    for one, (_, _, annotation, default) in zip(ours, page, strict=True):
        written = one.annotation.removesuffix(" | None") if default is None else one.annotation
        assert annotation in (None, written)


@pytest.mark.parametrize("line", LINES, ids=str)
def test_each_line_of_the_page_is_so(line: Line) -> None:
    cls, kind, name, given, rest = line
    if kind == "class":
        compare(cls, given or "")
    elif name == "Bases":
        assert issubclass(cls, found(rest))
    elif given is not None:
        method = getattr(cls, name)
        assert (getattr(method, "__self__", None) is cls) == (kind == "classmethod")
        compare(method, given)
        returned = inspect.signature(method).return_annotation
        assert returned == RETURNS.get((cls.__name__, name), plain(rest))
    elif kind == "property":
        assert isinstance(inspect.getattr_static(cls, name), property)
    elif "=" in rest:
        assert getattr(cls, name) == ast.literal_eval(rest.partition("= ")[2])
    else:
        assert inspect.get_annotations(cls)[name] == rest


def test_the_page_is_read_whole() -> None:
    assert [line.cls.__name__ for line in LINES if line.kind == "class"] == ["JobToken", "LoginToken", "ApiKey"]
    assert len(LINES) == 35


def test_the_signatures_are_those_of_real_classes() -> None:
    for method in (JobToken.create, JobToken.read, JobToken.delete, LoginToken.create, ApiKey.create, User.create):
        known = inspect.get_annotations(method, eval_str=True)
        assert known["context"] is CloudContext
    assert inspect.get_annotations(JobToken.create, eval_str=True)["user"] is User
    assert inspect.get_annotations(JobToken.get_api.__func__, eval_str=True)["return"] is Api


def test_kinds_of_credential_have_their_numbers() -> None:
    assert {one.name: one.value for one in TokenType} == {"Login": 0, "Job": 1, "API_Key": 2}


def test_endpoints_are_those_of_the_server(cloud: Cloud) -> None:
    kinds: dict[type[ACloudObject], str] = {
        JobToken: paths.TOKENS,
        ApiKey: paths.API_KEYS,
        User: paths.USERS,
        Platform: paths.PLATFORMS,
        Job: paths.COMPUTE_JOBS,
    }
    for kind, path in kinds.items():
        api = kind.get_api(cloud.context)
        assert kind.get_endpoint() == api.endpoint == path
        assert api.url == f"{cloud.context.url}{path}"
        assert api.context is cloud.context
        assert api.object_name == kind.get_object_name()
        assert kind.get_token_method() == ("job" if kind is Job else "login")
    assert LoginToken.ENDPOINT == paths.LOGIN


def test_the_page_for_users_runs(tmp_path: Path) -> None:
    """Its Python runs in one go against a server of its own; shown results are compared."""
    blocks = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    compared = 0
    with running(asyncio.run(make_cloud(tmp_path))) as cloud:
        url = cloud.context.url
        names: dict[str, object] = {"url": url, "admin_email": "rex@example.org", "admin_password": PASSWORD}
        for block in blocks:
            for statement, shown in re.findall(r"(.*?)(?:  # → ([^\n]+)\n|\Z)", block, re.DOTALL):
                *before, last = statement.rsplit("\n", 1) if shown else (statement, "")
                exec("\n".join(before), names)
                if shown:
                    compared += 1
                    assert str(eval(last, names)) == shown, last
    assert compared >= 20


def test_each_difference_on_the_page_has_its_test() -> None:
    sources = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    tests = re.findall(r"`(test_\w+)`", GUIDE.read_text())
    assert len(tests) >= 10
    for name in tests:
        assert f"def {name}(" in sources, name
