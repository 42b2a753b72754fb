"""docs/http.md: its tables are those of the code, and its Python runs."""

from __future__ import annotations

import re
from pathlib import Path

from jobpass.server.app import BODY_LIMIT_BYTES
from jobpass.server.body import DRAINED_BYTES
from jobpass.server.deadlines import READ_SECONDS
from jobpass.server.protocol import HEAD_BYTES, HEAD_SECONDS, UNREAD_SECONDS
from jobpass.server.query import LIMIT_DEFAULT, LIMIT_MAX
from jobpass.server.routes import routes
from jobpass.server.run import KEEP_ALIVE_SECONDS
from jobpass.wire.problems import TABLE
from support.process import make_folder, process
from support.site import PASSWORD

ROUTES = routes(callbacks=True)
PAGE = (Path(__file__).parents[2] / "docs" / "http.md").read_text()


def test_every_route_is_there_and_no_other() -> None:
    told = re.findall(r"^\| `((?:GET|POST|PUT|DELETE) /[^`]*)` \|", PAGE, re.MULTILINE)
    assert sorted(told) == sorted(f"{route.method} {route.template}" for route in ROUTES)


def test_every_route_does_what_the_table_says() -> None:
    for route in ROUTES:
        row = rf"^\| `{route.method} {re.escape(route.template)}` \| [^|]* \| {re.escape(route.does)} \|$"
        assert re.search(row, PAGE, re.MULTILINE), row


def test_every_code_is_there_with_its_status() -> None:
    told = {(int(status), code) for status, code in re.findall(r"^\| (\d{3}) \| `(\w+)` \|", PAGE, re.MULTILINE)}
    assert told == {*TABLE.values(), (400, "malformed_request")}


def test_the_limits_are_those_of_the_code() -> None:
    assert f"1 to {LIMIT_MAX:,}; {LIMIT_DEFAULT} unless told" in PAGE
    assert f"| request line and headers | {HEAD_BYTES // 1024} KiB, within {HEAD_SECONDS} seconds |" in PAGE
    assert f"| time for a body | {READ_SECONDS} seconds |" in PAGE
    assert f"cut off after {UNREAD_SECONDS} seconds" in PAGE
    assert f"closed after {KEEP_ALIVE_SECONDS} seconds; after {HEAD_SECONDS}, if" in PAGE
    assert f"beyond {HEAD_BYTES // 1024} KiB the connection is closed" in PAGE
    assert f"| body | {BODY_LIMIT_BYTES // 2**20} MiB, a setting |" in PAGE
    assert DRAINED_BYTES > BODY_LIMIT_BYTES


async def test_the_python_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    folder = await make_folder(tmp_path)
    with process(folder) as (_server, url):
        code = "\n".join(blocks)
        assert "http://127.0.0.1:8470" in code
        assert PASSWORD in code
        names: dict[str, object] = {}
        exec(compile(code.replace("http://127.0.0.1:8470", url), "docs/http.md", "exec"), names)
        names["http"].close()
