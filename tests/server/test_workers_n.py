"""Several server processes at one port: each answers, what one ended is over on all, one that dies comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from jobpass.cli import exits
from support.certificates import Certified, certify
from support.postgres import free_port, run_sql, some_database

PASSWORD = "correct-horse-battery-staple"
LOGIN = {"email": "op@example.org", "password": PASSWORD}


class Fleet:
    """``jobpass serve --workers N`` and its processes."""

    def __init__(self, environ: dict[str, str], log: Path, *options: str) -> None:
        self.log = log
        command = [sys.executable, "-m", "jobpass", "serve", "--json", "--log-format", "text", *options]
        with log.open("w") as file:
            self.process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=file, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, log.read_text()
        self.url = json.loads(line)["url"]
        self.port = int(self.url.rpartition(":")[2])

    def children(self) -> list[int]:
        """The processes that serve."""
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(word) for word in text.split()]

    def said(self) -> str:
        return self.log.read_text()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)


def command(environ: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "jobpass", *map(str, arguments)]
    return subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def environ(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A database with one operator, and a folder with its keyring."""
    place = tmp_path_factory.mktemp("nodes")
    (place / "password").write_text(PASSWORD)
    with some_database(postgres_server) as url:
        given = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(place),
            "JOBPASS_STORE": url,
            "JOBPASS_DATA": str(place / "data"),
            "JOBPASS_PORT": "0",
        }
        done = command(given, "init", "--admin-email", LOGIN["email"], "--admin-password-file", place / "password")
        assert done.returncode == 0, done.stderr
        yield given


Start = Callable[..., Fleet]


@pytest.fixture
def start(environ: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts a fleet; what still runs at the end is stopped, and killed if need be."""
    started: list[Fleet] = []

    def begin(*options: str, **more: str) -> Fleet:
        fleet = Fleet(environ | more, tmp_path / f"log{len(started)}", *options)
        started.append(fleet)
        return fleet

    yield begin
    for fleet in started:
        left = fleet.children() if fleet.process.poll() is None else []
        try:
            if fleet.process.poll() is None:
                fleet.stop()
        except subprocess.TimeoutExpired:
            fleet.process.kill()
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert fleet.process.stdout is not None
        fleet.process.stdout.close()
        fleet.process.wait(10)


def until(holds: Callable[[], object], seconds: float = 30) -> float:
    """The seconds until it holds."""
    since = time.monotonic()
    while not holds():
        assert time.monotonic() - since < seconds
        time.sleep(0.02)
    return time.monotonic() - since


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def free_ports() -> int:
    """The first of two ports of loopback that are free."""
    while True:
        port = free_port()
        with contextlib.suppress(OSError, OverflowError), socket.create_server(("127.0.0.1", port + 1)):
            return port


def answered(metrics_port: int) -> float:
    """How many requests the process has answered whose metrics are there."""
    text = httpx2.get(f"http://127.0.0.1:{metrics_port}/metrics", trust_env=False).text
    lines = [line for line in text.splitlines() if line.startswith("jobpass_requests_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def client_of_each(fleet: Fleet, ports: list[int], trust: ssl.SSLContext | None = None) -> list[httpx2.Client]:
    """For each process a client whose one connection leads to it."""
    found: dict[int, httpx2.Client] = {}
    for _ in range(64):
        before = [answered(port) for port in ports]
        client = httpx2.Client(base_url=fleet.url, trust_env=False, verify=trust or True)
        assert client.get("/health").status_code == 200
        (which,) = [n for n, port in enumerate(ports) if answered(port) > before[n]]
        if which in found:
            client.close()
        else:
            found[which] = client
        if len(found) == len(ports):
            return [found[n] for n in range(len(ports))]
    raise AssertionError(f"all connections lead to {sorted(found)}")


def bearer(client: httpx2.Client) -> dict[str, str]:
    return {"authorization": f"Bearer {client.post('/api/login', json=LOGIN).json()['token']}"}


def test_each_answers_and_what_ends_on_one_ends_on_the_other_within_a_second(
    start: Start, environ: dict[str, str]
) -> None:
    port = free_ports()
    fleet = start("--workers", "2", "--metrics-port", str(port))
    assert len(fleet.children()) == 2
    here, there = client_of_each(fleet, [port, port + 1])
    with contextlib.closing(here), contextlib.closing(there):
        for one, other in ((here, there), (there, here)):
            head = bearer(one)
            assert [client.get("/api/me", headers=head).status_code for client in (one, other)] == [200, 200]
            assert one.post("/api/logout", headers=head).status_code == 200
            assert one.get("/api/me", headers=head).status_code == 401
            assert until(lambda: other.get("/api/me", headers=head).status_code == 401, 5) < 1  # noqa: B023
        assert [client.get("/ready").json() for client in (here, there)] == [{"message": "ready"}] * 2
    assert fleet.stop() == 0
    (rows,) = run_sql(environ["JOBPASS_STORE"], "SELECT DISTINCT node FROM jobpass.audit ORDER BY node")
    assert [row[0] for row in rows] == ["main", "main-1", "main-2"]
    verified = command(environ, "verify")
    assert verified.returncode == 0, verified.stderr


def test_connections_are_shared_out_evenly(start: Start) -> None:
    port = free_ports()
    fleet = start("--no-access-log", JOBPASS_WORKERS="2", JOBPASS_METRICS_PORT=str(port))
    before = [answered(port + n) for n in range(2)]
    for _ in range(200):
        with socket.create_connection(("127.0.0.1", fleet.port), timeout=10) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            assert connection.recv(64).startswith(b"HTTP/1.1 200")
    shares = [answered(port + n) - before[n] for n in range(2)]
    assert sum(shares) == 200
    assert min(shares) > 50, shares  # by chance once in 10^12


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    return certify(tmp_path)


def serve_tls(start: Start, certified: Certified) -> tuple[Fleet, list[int]]:
    """Two processes that speak TLS, and the ports of their metrics."""
    port = free_ports()
    files = ("--certfile", str(certified.certfile), "--keyfile", str(certified.keyfile))
    return start("--workers", "2", "--metrics-port", str(port), *files), [port, port + 1]


def test_over_tls_each_answers_and_says_nothing_in_the_clear(start: Start, certified: Certified) -> None:
    fleet, ports = serve_tls(start, certified)
    assert fleet.url == f"https://127.0.0.1:{fleet.port}"
    trust = ssl.create_default_context(cafile=certified.certfile)
    here, there = client_of_each(fleet, ports, trust)
    with contextlib.closing(here), contextlib.closing(there):
        head = bearer(here)
        assert there.get("/api/me", headers=head).json()["email"] == LOGIN["email"]
        assert there.post("/api/logout", headers=head).status_code == 200
        assert here.get("/api/me", headers=bearer(there)).status_code == 200
    with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx2.get(f"{fleet.url}/health", trust_env=False, verify=ssl.create_default_context())
    with socket.create_connection(("127.0.0.1", fleet.port), timeout=10) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP" not in connection.recv(64)
    assert fleet.stop() == 0


def test_a_client_over_tls_reaches_both_with_what_it_knows_of_one(start: Start, certified: Certified) -> None:
    """A session that one process began means nothing to the other, which begins another one, and nobody notices."""
    fleet, ports = serve_tls(start, certified)
    trust = ssl.create_default_context(cafile=certified.certfile)
    before = [answered(port) for port in ports]
    session, reused = None, 0
    for _ in range(40):
        plain = socket.create_connection(("127.0.0.1", fleet.port), timeout=10)
        with trust.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            assert connection.recv(64).startswith(b"HTTP/1.1 200")
            session, reused = connection.session, reused + connection.session_reused
    shares = [answered(port) - before[n] for n, port in enumerate(ports)]
    assert sum(shares) == 40
    assert min(shares) > 0, shares  # by chance once in 10^11
    assert 0 < reused < 40


def test_a_certificate_that_cannot_be_used_keeps_all_from_starting(
    environ: dict[str, str], certified: Certified
) -> None:
    certified.keyfile.write_text("no key")
    done = command(environ, "serve", "--workers", "2", "--certfile", certified.certfile, "--keyfile", certified.keyfile)
    assert (done.returncode, done.stdout) == (exits.SETUP, "")
    assert done.stderr.count("The certificate cannot be used") == 1


def test_one_that_is_killed_comes_back_and_the_other_answers_meanwhile(start: Start) -> None:
    fleet = start("--workers", "2")
    first, second = fleet.children()
    for _ in range(2):
        os.kill(first, signal.SIGKILL)
        until(lambda: not alive(first))  # noqa: B023
        for _ in range(20):
            assert httpx2.get(f"{fleet.url}/ready", trust_env=False).status_code == 200
        until(lambda: fleet.said().count("listens") >= 3 and len(fleet.children()) == 2)
        assert second in fleet.children()
        (first,) = set(fleet.children()) - {second}
    until(lambda: fleet.said().count("listens") == 4)
    assert fleet.said().count("ended with -9") == 2
    assert fleet.stop() == 0


def test_one_that_stands_still_is_killed_and_comes_back_unless_all_stood_still(start: Start) -> None:
    fleet = start("--workers", "2", JOBPASS_FROZEN_SECONDS="3")
    first, second = fleet.children()
    fleet.process.send_signal(signal.SIGSTOP)
    time.sleep(3.5)  # what they say meanwhile waits
    fleet.process.send_signal(signal.SIGCONT)
    time.sleep(1.5)
    assert fleet.children() == [first, second]
    os.kill(first, signal.SIGSTOP)
    assert until(lambda: not alive(first), 15) > 2
    until(lambda: fleet.said().count("listens") == 3)
    assert fleet.said().count("has not moved for 3 seconds, and is killed") == 1
    assert fleet.said().count("ended with -9") == 1
    assert second in fleet.children()
    assert fleet.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_all_and_what_was_accepted_is_answered(start: Start, number: signal.Signals) -> None:
    fleet = start("--workers", "2")
    pids = fleet.children()
    async with httpx2.AsyncClient(base_url=fleet.url, timeout=30, trust_env=False) as client:
        slow = [asyncio.create_task(client.post("/api/login", json=LOGIN)) for _ in range(8)]
        await until_connected(fleet.port, 8)
        assert not all(task.done() for task in slow)
        fleet.process.send_signal(number)
        answers = Counter([answer.status_code for answer in await asyncio.gather(*slow)])
    assert answers == {200: 8}
    assert await asyncio.to_thread(fleet.process.wait, 20) == 0
    assert not any(map(alive, pids))
    with pytest.raises(httpx2.TransportError):
        httpx2.get(f"{fleet.url}/health", trust_env=False)
    assert "ended with" not in fleet.said()


def connections(port: int) -> int:
    """How many are open at a port of this machine, by the side that accepted them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


async def until_connected(port: int, count: int) -> None:
    """Return shortly after so many connections were made to a port of this machine."""
    async with asyncio.timeout(10):
        while True:
            if connections(port) >= count:
                break
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)


def test_when_the_first_process_is_killed_all_end(start: Start) -> None:
    fleet = start("--workers", "2")
    pids = fleet.children()
    assert len(pids) == 2
    fleet.process.kill()
    until(lambda: not any(map(alive, pids)), 20)


def test_without_the_first_process_one_that_is_stuck_ends_too() -> None:
    stuck = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "from jobpass.compose import node; node.STOP_SECONDS = 0.2; node._follow()"
    )
    done = subprocess.run([sys.executable, "-c", stuck], stdin=subprocess.DEVNULL, timeout=30)
    assert done.returncode == -signal.SIGKILL


def test_a_signal_while_they_start_ends_all(environ: dict[str, str]) -> None:
    words = [sys.executable, "-m", "jobpass", "serve", "--workers", "2"]
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        until(children.read_text)
        pids = [int(word) for word in children.read_text().split()]
        process.terminate()
        said, log = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "")
    assert "Traceback" not in log
    assert not any(map(alive, pids))


def test_a_port_is_one_server_s(start: Start, environ: dict[str, str]) -> None:
    fleet = start("--workers", "2")
    for workers in ("1", "2"):
        done = command(environ, "serve", "--workers", workers, "--port", fleet.port)
        assert done.returncode == exits.SETUP, done.stderr
        assert f"Cannot listen on 127.0.0.1:{fleet.port}" in done.stderr
    assert httpx2.get(f"{fleet.url}/ready", trust_env=False).status_code == 200


def test_what_keeps_them_from_starting_is_told_once(environ: dict[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert command({"PATH": "/usr/bin:/bin"}, "init", "--data", other).returncode == 0
    done = command(environ, "serve", "--workers", "2", "--data", other)
    assert done.returncode == exits.SETUP, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("The database belongs to another keyring") == 1
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command(environ, "serve", "--workers", "2", "--metrics-port", port)
    assert (done.returncode, done.stdout) == (exits.SETUP, "")
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr


def test_a_process_that_ends_without_a_word_is_given_up(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif 'jobpass.compose.node' in sys.orig_argv: os._exit(3)\n"
    )
    done = command(environ | {"PYTHONPATH": str(tmp_path)}, "serve", "--workers", "2")
    assert done.returncode == exits.SETUP, done.stderr
    assert "A server process ends before it listens" in done.stderr
    assert done.stderr.count("ended with 3") >= 2


def test_a_file_is_served_by_one(tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "JOBPASS_WORKERS": "2"}
    done = command(environ, "serve", "--data", tmp_path / "data")
    assert done.returncode == exits.SETUP
    assert "Several server processes are PostgreSQL's business" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--workers", "0"), "workers"),
        (("--workers", "65"), "workers"),
        (("--workers", "2", "--metrics-port", "65535"), "a port for its metrics"),
        (("--workers", "10", "NODE"), "setting node is too long"),
    ],
)
def test_what_cannot_be_is_refused(environ: dict[str, str], options: tuple[str, ...], words: str) -> None:
    given = environ | ({"JOBPASS_NODE": "n" * 62} if "NODE" in options else {})
    done = command(given, "serve", *(word for word in options if word != "NODE"))
    assert (done.returncode, done.stdout) == (exits.SETUP, "")
    assert words in done.stderr
