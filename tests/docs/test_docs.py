"""The pages run: each ``console`` line against a real server in a folder of its own, each output compared.

A fenced block with a file's name after its language is that file. ``…`` in an output stands for anything.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/tutorial.md", "docs/operating.md", "docs/concepts.md", "docs/credentials.md")

NOT_RUN = {
    "make demo": "the tests of the demo run it",
    "make test": "these are the tests",
    "python3 -m pip install .": "the tests run on what is installed",
}
"""Lines that do not run here, with the reason."""

OTHERWISE = {
    "jobpass login --url http://127.0.0.1:8470 --email operator@localhost": (
        "jobpass login --url http://127.0.0.1:8470 --password-file ./password",
        "there is no terminal to ask for the password",
    ),
    "jobpass job watch 1071269f-b251-5a5f-bec1-6d7f77131f3f": (
        "jobpass job watch $(jobpass job list | cut -f 1)",
        "the uuid is an example",
    ),
}
"""Lines that run in other words, with the reason."""

README_FILES = {
    "password": "correct-horse-battery\n",
    "train.py": re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1],  # type: ignore[index]
}
"""What the README takes for granted: a password, and a program, which is its own example."""


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    file: str
    text: str


class Call(NamedTuple):
    """A line that is typed, and what is shown below it."""

    line: str
    shown: list[str]


def blocks(page: str, port: int) -> list[Block]:
    text = (ROOT / page).read_text().replace("8470", str(port))
    return [Block(*found) for found in re.findall(r"^```(\w*)[ ]?(\S*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def calls(text: str) -> Iterator[Call]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, *shown = part.splitlines()
        yield Call(line, shown)


class Terminal:
    """Runs typed lines in one bash; a server that is started goes on beside it."""

    def __init__(self, home: Path, port: int) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("JOBPASS_")}
        self.home = home
        self.port = port
        self.environ = clean | {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_STATE_HOME": str(home / "state"),
            "PATH": f"{Path(sys.executable).parent}:{clean['PATH']}",
        }
        self.bash = self.start("exec bash --norc", stdin=subprocess.PIPE)
        self.servers: list[subprocess.Popen[str]] = []

    def start(self, line: str, **options: int) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} | options
        return subprocess.Popen(["bash", "-c", line], text=True, env=self.environ, cwd=self.home, **pipes)

    def type(self, line: str) -> str:
        """What is shown for a line."""
        plain = line.replace(str(self.port), "8470")
        if plain in NOT_RUN:
            return ""
        line = OTHERWISE[plain][0].replace("8470", str(self.port)) if plain in OTHERWISE else line
        if line.startswith("jobpass serve"):
            server = self.start(f"exec {line}", stderr=subprocess.DEVNULL)
            self.servers.append(server)
            assert server.stdout is not None
            said = ""
            while "serves" not in said:
                more = server.stdout.readline()
                assert more, said
                said += more
            return said
        assert self.bash.stdin is not None
        assert self.bash.stdout is not None
        end = "--- end of the answer ---"
        self.bash.stdin.write(f"{{ {line}\n}} < /dev/null 2>&1; echo; echo '{end}'\n")
        self.bash.stdin.flush()
        answer = "".join(iter(self.bash.stdout.readline, f"{end}\n"))
        return answer.removesuffix("\n")

    def close(self) -> None:
        assert self.bash.stdin is not None
        assert self.bash.stdout is not None
        self.bash.stdin.close()
        self.bash.wait(20)
        self.bash.stdout.close()
        for server in self.servers:
            server.send_signal(signal.SIGTERM)
            server.wait(20)
            assert server.stdout is not None
            server.stdout.close()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    terminal = Terminal(tmp_path, port)
    yield terminal
    terminal.close()


def matches(shown: list[str], said: str) -> bool:
    """Whether what was said is what the page shows; a page that shows nothing says nothing about it."""
    pattern = "\n".join(".*".join(map(re.escape, line.split("…"))) for line in shown)
    return not shown or re.fullmatch(pattern, said.rstrip("\n"), re.DOTALL) is not None


@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs(page: str, terminal: Terminal) -> None:
    if page == "README.md":
        for name, text in README_FILES.items():
            (terminal.home / name).write_text(text)
        terminal.type("jobpass init --data ./data --admin-password-file ./password")
    for block in blocks(page, terminal.port):
        if block.file:
            (terminal.home / block.file).write_text(block.text)
        elif block.language == "console":
            for call in calls(block.text):
                said = terminal.type(call.line)
                assert matches(call.shown, said), (call.line, said)
                if not call.shown:
                    assert "jobpass: " not in said.replace("jobpass: job 107", "").replace("jobpass: FINISHED", ""), (
                        said
                    )
        else:  # a program or a table for reading; the README's own program is the file that its job runs
            assert page == "README.md", f"a block of {block.language or 'no language'} that is not run: {block.text}"


def test_what_is_not_run_is_on_the_pages() -> None:
    text = "\n".join((ROOT / page).read_text() for page in PAGES)
    for line in (*NOT_RUN, *OTHERWISE):
        assert f"$ {line}" in text


def test_a_wrong_output_would_be_noticed() -> None:
    assert matches(["a … c"], "a b c\n")
    assert not matches(["a … c"], "a b d\n")
    assert not matches(["a"], "a\nb\n")


@pytest.mark.parametrize(
    "page", ["README.md", *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").glob("*.md")))]
)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", (ROOT / page).read_text()):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target
