"""A folder whose root key follows from a secret: made on the spot, entered for an account, with its own admin key."""

from __future__ import annotations

import asyncio
import multiprocessing
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest
from msgspec.structs import replace

import jobpass
from jobpass import compose
from jobpass.authority.adoption import OWNER
from jobpass.authority.secret import admin_key_id
from jobpass.client.inprocess import InProcess
from jobpass.client.sync import Client
from jobpass.clock import FixedClock
from jobpass.compose.secret import Entrance, enter
from jobpass.compose.serving import make_app
from jobpass.errors import (
    Denied,
    InvalidInput,
    InvalidToken,
    KeyringError,
    LoginFailed,
    ServerUnavailable,
    SetupError,
    WrongKind,
)
from jobpass.records import Credential
from jobpass.settings import Settings
from jobpass.tokens.keyring import Keyring

SECRET = "the secret of this test"
KEY = "the admin key of this test"
WHO = "sd2eadm@localhost"
PASSWORD = "correct-horse-battery"
MEMBERS = {"id": "a", "name": "a", "components": [], "processing_levels": []}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def opened(data: Path, **given: Any) -> Client:
    return jobpass.open(f"sqlite://{data}", **({"secret": SECRET, "account": WHO, "environ": {}} | given))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def rows(data: Path, query: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(data / "jobpass.sqlite"))
    try:
        return list(connection.execute(query))
    finally:
        connection.close()


def audit(data: Path) -> list[str]:
    return [name for (name,) in rows(data, "SELECT name FROM audit ORDER BY id")]


def operate(data: Path) -> Client:
    """The operator of a folder that has been given its keyring."""
    client = jobpass.open(f"sqlite://{data}", environ={})
    client.login("operator@localhost", PASSWORD)
    return client


def give_keyring(data: Path) -> None:
    asyncio.run(compose.write_derived_keyring(data, SECRET, ("operator@localhost", PASSWORD), environ={}))


def admin(client: Client, key: str = KEY, lifetime_seconds: int = 3600, secret: str = SECRET) -> Client:
    return client.with_token(jobpass.admin_token(jobpass.derive_admin_key(secret, key, lifetime_seconds)))


def job(client: Client, n: int = 1) -> Any:
    return client.create_job(client.create_pipeline(MEMBERS)["uuid"], {"n": n})


def test_a_folder_is_made_on_the_spot_and_holds_no_keyring(data: Path) -> None:
    with opened(data) as client:
        made = job(client)
        assert client.send(made.uuid, "run").state == "RUNNING"
    assert list(files(data)) == ["jobpass.sqlite"]
    assert (stat.S_IMODE(data.stat().st_mode), stat.S_IMODE((data / "jobpass.sqlite").stat().st_mode)) == (0o700, 0o600)
    with opened(data) as client:
        assert client.with_token(made.token).send(made.uuid, "update").sequence == 3
        assert client.verify(made.uuid).intact
        assert job(client).token == made.token


def test_another_secret_is_refused_and_changes_nothing(data: Path) -> None:
    opened(data, admin_key=KEY).close()
    before = files(data)
    with pytest.raises(SetupError, match="another secret"):
        opened(data, secret=SECRET + ".", admin_key=KEY)
    assert files(data) == before


@pytest.mark.parametrize("secret", ["", "fifteen chars..", "x" * 32])
def test_a_weak_secret_leaves_no_folder(data: Path, secret: str) -> None:
    with pytest.raises(KeyringError):
        opened(data, secret=secret)
    assert not data.exists()


def test_a_folder_with_a_keyring_of_its_own_is_another_one(data: Path) -> None:
    asyncio.run(compose.init_data(data, "operator@localhost", PASSWORD, environ={}))
    before = files(data)
    with pytest.raises(SetupError, match="another secret"):
        opened(data)
    assert files(data) == before
    (data / "keyring.json").unlink()
    with pytest.raises(SetupError, match="another secret"):
        opened(data)


def test_a_folder_that_holds_only_a_foreign_keyring_gets_no_database(data: Path) -> None:
    data.mkdir()
    compose.write_private(data / "keyring.json", Keyring.generate(bytes(range(4)), bytes(range(32))).dump().encode())
    with pytest.raises(SetupError, match="another secret"):
        opened(data)
    assert list(files(data)) == ["keyring.json"]


def test_a_database_that_records_nothing_is_nobodys(data: Path) -> None:
    opened(data).close()
    connection = apsw.Connection(str(data / "jobpass.sqlite"))
    connection.execute("DELETE FROM audit")
    connection.close()
    with pytest.raises(SetupError, match="another secret"):
        opened(data)


def test_the_keyring_of_the_environment_must_hold_the_key_too(data: Path) -> None:
    opened(data).close()
    held = Keyring.from_secret(SECRET).rotate(b"abcd", bytes(range(32)))
    with opened(data, environ={"JOBPASS_KEYRING": held.dump()}) as client:
        assert client.me().email == WHO
    with pytest.raises(SetupError, match="another secret"):
        opened(data, environ={"JOBPASS_KEYRING": Keyring.generate(b"abcd", bytes(range(32))).dump()})


def test_root_keys_rotate_and_retire_as_everywhere(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOBPASS_KEYRING", raising=False)
    with opened(data, admin_key=KEY) as client:
        made = job(client)
    give_keyring(data)
    asyncio.run(compose.rotate_key(data))
    with opened(data, admin_key=KEY) as client:
        assert client.with_token(made.token).send(made.uuid, "run").state == "RUNNING"
        assert admin(client).send(made.uuid, "fail").state == "FAILED"
        assert client.verify(made.uuid).intact
    kid = Keyring.from_secret(SECRET).signing_kid
    asyncio.run(compose.retire_key(data, kid, force=True))
    with pytest.raises(SetupError, match="retired"):
        opened(data)
    with operate(data) as client, pytest.raises(InvalidToken):
        admin(client).job(made.uuid)


def test_the_keyring_is_written_once_for_a_folder_of_this_secret(data: Path) -> None:
    with pytest.raises(SetupError, match="no Jobpass data"):
        give_keyring(data)
    opened(data).close()
    with pytest.raises(SetupError, match="another secret"):
        asyncio.run(compose.write_derived_keyring(data, SECRET + ".", environ={}))
    assert list(files(data)) == ["jobpass.sqlite"]
    give_keyring(data)
    assert stat.S_IMODE((data / "keyring.json").stat().st_mode) == 0o600
    assert (data / "keyring.json").read_text() == Keyring.from_secret(SECRET).dump()
    before = files(data)
    with pytest.raises(SetupError, match="a keyring"):
        give_keyring(data)
    with pytest.raises(SetupError, match="a keyring"):
        asyncio.run(compose.write_derived_keyring(data, SECRET, environ={"JOBPASS_KEYRING": ""}))
    assert files(data) == before
    with operate(data) as client:
        assert client.me().role == "operator"
        assert [entry.name for entry in client.iter_audit(name="keys.written")] == ["keys.written"]


@pytest.mark.parametrize(("active", "made"), [(True, False), (False, True)])
def test_an_operator_is_made_only_if_there_is_none_who_may_work(data: Path, active: bool, made: bool) -> None:
    async def prepare() -> None:
        async with enter(data, Entrance(SECRET), {}) as entered:
            one = await entered.authority.accounts.create("first@localhost", PASSWORD, "operator")
            await entered.authority._store.change_principal(one.id, lambda principal: replace(principal, active=active))

    asyncio.run(prepare())
    operator = ("operator@localhost", PASSWORD)
    assert asyncio.run(compose.write_derived_keyring(data, SECRET, operator, environ={})) is made
    assert rows(data, "SELECT count(*) FROM principal") == [(1 + made,)]


def _open(data: str, results: multiprocessing.Queue[str]) -> None:
    with opened(Path(data), admin_key=KEY) as client:
        results.put(client.me().email)


def test_processes_that_open_it_at_once_make_it_once(data: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[str] = context.Queue()
    processes = [context.Process(target=_open, args=(str(data), results)) for _ in range(3)]
    for process in processes:
        process.start()
    answers = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    results.close()
    results.join_thread()
    assert answers == [WHO] * 3
    names = audit(data)
    assert [names.count(name) for name in ("initialised", "admin_key.adopted", "login.in_process")] == [1, 1, 3]
    assert rows(data, "SELECT count(*), count(DISTINCT email) FROM principal") == [(2, 2)]
    assert rows(data, "SELECT count(*) FROM admin_key") == [(1,)]


def test_the_account_is_an_author_whom_no_password_opens(data: Path) -> None:
    with opened(data) as client:
        assert (client.me().email, client.me().role) == (WHO, "author")
        for password in ("!", "", PASSWORD):
            with pytest.raises(LoginFailed):
                client.with_token(None).login(WHO, password)
    assert rows(data, f"SELECT password_hash FROM principal WHERE email = '{WHO}'") == [("!",)]


def test_an_account_that_stands_keeps_its_role_and_password(data: Path) -> None:
    opened(data).close()
    give_keyring(data)
    with opened(data, account=" Operator@LOCALHOST ") as client:
        assert client.me().role == "operator"
        client.with_token(None).login("operator@localhost", PASSWORD)


def test_the_login_is_recorded_and_ends_with_the_client(data: Path) -> None:
    with opened(data) as client:
        token = client.token
        assert token is not None
        assert client.me().credential.kind == "login"
    assert rows(data, "SELECT label, revoked_at IS NULL FROM credential") == [("in process", 0)]
    assert audit(data) == ["initialised", "user.created", "login.in_process", "logout"]
    with opened(data) as client, pytest.raises(InvalidToken):
        client.with_token(token).me()


def test_a_disabled_account_is_refused(data: Path) -> None:
    with opened(data) as client:
        give_keyring(data)
        with operate(data) as operator:
            operator.disable_user(client.me().user_id)
        with pytest.raises(InvalidToken):
            client.me()
    with pytest.raises(LoginFailed, match="disabled"):
        opened(data)


def test_an_impossible_account_is_refused(data: Path) -> None:
    for account in ("", "nobody", "a@b@c", "a b@c"):
        with pytest.raises(InvalidInput):
            opened(data, account=account)


def test_the_login_is_renewed_while_the_client_lives(data: Path) -> None:
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    sessions: list[Any] = []

    def lifespan() -> Any:
        return _entered(data, clock, sessions)

    channel = InProcess(lifespan)
    with Client("http://localhost", lambda: sessions[0].token(channel.run), channel=channel) as client:
        first = client.token
        clock.advance(6 * 3600 - 1)
        assert client.token == first
        seen = {first}
        for _ in range(20):
            clock.advance(11 * 3600)
            assert client.me().email == WHO
            seen.add(client.token)
        assert len(seen) == 21
        client.logout()
        assert client.token is None
        with pytest.raises(InvalidToken):
            client.me()
    names = audit(data)
    assert (names.count("login.in_process"), names.count("logout")) == (21, 2), "the last, and the one before it"
    at = 1_000_000 * int(clock.now().timestamp())
    assert rows(data, f"SELECT count(*) FROM credential WHERE revoked_at IS NULL AND expires_at > {at}") == [(0,)]
    clock.advance(86_400)
    with pytest.raises(ServerUnavailable):
        sessions[0].token(channel.run)


def _entered(data: Path, clock: FixedClock, sessions: list[Any]) -> Any:
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def app() -> Any:
        async with enter(data, Entrance(SECRET, WHO), {}, clock) as entered:
            sessions.append(entered.session)
            yield make_app(entered.authority, Settings()).answer

    return app()


def test_the_key_of_the_environment_is_the_one_that_is_approved(data: Path) -> None:
    with opened(data, admin_key=KEY) as client:
        made = job(client)
        client.send(made.uuid, "run")
        with pytest.raises(Denied):
            client.send(made.uuid, "reset")
        assert admin(client).send(made.uuid, "reset").state == "RESET"
        for other in (admin(client, KEY + "."), admin(client, KEY, secret=SECRET + ".")):
            with pytest.raises(InvalidToken):
                other.send(made.uuid, "ready")
        with pytest.raises(WrongKind):
            client.admin_token(made.token)
        with pytest.raises(InvalidToken):
            client.with_token(jobpass.derive_admin_key(SECRET, KEY)).job(made.uuid)
    key_id = admin_key_id(SECRET, KEY)
    found = rows(data, "SELECT key.id, state, use_case, email FROM admin_key key JOIN principal p ON p.id = requester")
    assert found == [(key_id, "collected", "the key of the environment", OWNER)]
    assert "admin_key.adopted" in audit(data)
    assert (KEY.encode() in b"".join(files(data).values()), SECRET.encode() in b"".join(files(data).values())) == (
        False,
        False,
    )


def test_opening_again_writes_nothing_but_the_login(data: Path) -> None:
    opened(data, admin_key=KEY).close()
    before = audit(data)
    credentials = rows(data, "SELECT * FROM credential ORDER BY id")
    with opened(data, admin_key=KEY) as client:
        assert admin(client).jobs().jobs == []
    assert audit(data) == [*before, "login.in_process", "logout"]
    assert rows(data, "SELECT count(*) FROM credential") == [(len(credentials) + 1,)]


@pytest.mark.parametrize("lifetime_seconds", [1, 60, 3600, 30 * 86_400])
def test_a_token_lives_as_long_as_its_own_key_says(data: Path, lifetime_seconds: int) -> None:
    key = jobpass.derive_admin_key(SECRET, KEY, lifetime_seconds)
    now = datetime.now(UTC)
    with opened(data, admin_key=KEY) as client:
        made = job(client)
        assert client.with_token(jobpass.admin_token(key, now)).job(made.uuid).uuid == made.uuid
        past = jobpass.admin_token(key, now - timedelta(seconds=2 * lifetime_seconds + 1))
        ahead = jobpass.admin_token(key, now + timedelta(seconds=2 * lifetime_seconds + 90))
        for token in (past, ahead):
            with pytest.raises(InvalidToken):
                client.with_token(token).job(made.uuid)


def test_another_key_takes_its_place(data: Path) -> None:
    with opened(data, admin_key=KEY) as client:
        made = job(client)
        client.send(made.uuid, "run")
        with opened(data, admin_key="another admin key of it") as second:
            assert admin(second, "another admin key of it").send(made.uuid, "reset").state == "RESET"
        with pytest.raises(InvalidToken):
            admin(client).send(made.uuid, "ready")
    assert audit(data).count("admin_key.revoked") == 1
    states = rows(data, "SELECT id, state, reason FROM admin_key ORDER BY number")
    assert [state for _, state, _ in states] == ["revoked", "collected"]
    assert "took its place" in states[0][2]
    with opened(data) as client:  # without a key nothing changes
        assert admin(client, "another admin key of it").job(made.uuid).state == "RESET"


def test_a_key_that_was_revoked_stays_so_and_ends_no_other(data: Path) -> None:
    with opened(data, admin_key=KEY) as client:
        made = job(client)
        give_keyring(data)
        with operate(data) as operator:
            operator.revoke_admin_key(admin_key_id(SECRET, KEY), "it leaked")
        with pytest.raises(InvalidToken):
            admin(client).job(made.uuid)
    other = "another admin key of it"
    opened(data, admin_key=other).close()
    before = audit(data)
    with opened(data, admin_key=KEY) as client:
        with pytest.raises(InvalidToken):
            admin(client).job(made.uuid)
        assert admin(client, other).job(made.uuid).uuid == made.uuid
    assert sorted(audit(data)[len(before) :]) == ["login.in_process", "logout", "refused"]
    assert [r for (r,) in rows(data, "SELECT reason FROM admin_key ORDER BY number")] == ["it leaked", None]


def test_a_key_that_was_reviewed_needs_no_adoption_and_ends_the_adopted_one(data: Path) -> None:
    with opened(data, admin_key=KEY) as client:
        made = job(client)
        give_keyring(data)
        with jobpass.open(f"sqlite://{data}", environ={"JOBPASS_SINGLE_OPERATOR": "true"}) as operator:
            operator.login("operator@localhost", PASSWORD)
            asked = operator.request_admin_key("cleaning", "a vault")
            operator.approve_admin_key(asked.id, asked.request_hash)
            reviewed = operator.collect_admin_key(asked.id)
        with opened(data, admin_key=reviewed) as second:
            token = jobpass.admin_token(reviewed)
            assert second.with_token(token).job(made.uuid).uuid == made.uuid
        with pytest.raises(InvalidToken):
            admin(client).job(made.uuid)


def test_an_adoption_that_was_interrupted_is_finished(data: Path) -> None:
    async def interrupted() -> None:
        async with enter(data, Entrance(SECRET), {}) as entered:
            accounts = entered.authority.accounts
            owner = await accounts.ensure(OWNER)
            kid = Keyring.from_secret(SECRET).signing_kid
            half = Credential(
                id=admin_key_id(SECRET, KEY),
                kind="admin",
                owner=owner.id,
                label="half",
                issued_at=datetime.now(UTC),
                expires_at=None,
                kid=kid,
            )
            await entered.authority._store.add_credential(half)

    asyncio.run(interrupted())
    with opened(data, admin_key=KEY) as client:
        made = job(client)
        assert admin(client).job(made.uuid).uuid == made.uuid
    assert rows(data, "SELECT state FROM admin_key") == [("collected",)]


@pytest.mark.parametrize("key", ["", "fifteen chars..", "x" * 32, "\ud800" * 20, "canary" + "\ud800" * 20])
def test_a_weak_admin_key_is_refused(data: Path, key: str) -> None:
    with pytest.raises(InvalidInput, match="admin_key") as caught:
        opened(data, admin_key=key)
    assert "canary" not in str(caught.value)
    with pytest.raises(InvalidInput, match="admin_key"):
        jobpass.derive_admin_key(SECRET, key)


@pytest.mark.parametrize("lifetime_seconds", [0, -1, 2**32])
def test_an_impossible_lifetime_is_refused(lifetime_seconds: int) -> None:
    with pytest.raises(InvalidInput, match="lifetime"):
        jobpass.derive_admin_key(SECRET, KEY, lifetime_seconds)


def test_what_follows_from_a_secret_is_the_same_each_time() -> None:
    key = jobpass.derive_admin_key(SECRET, KEY)
    assert key == jobpass.derive_admin_key(SECRET, KEY, 3600)
    assert key.startswith("jp_adk_")
    others = (
        jobpass.derive_admin_key(SECRET, KEY, 3601),
        jobpass.derive_admin_key(SECRET, KEY + " "),
        jobpass.derive_admin_key(SECRET + " ", KEY),
    )
    assert len({key, *others}) == 4
    assert jobpass.derive_key(SECRET, "a") == jobpass.derive_key(SECRET, "a") != jobpass.derive_key(SECRET, "b")
    assert len(jobpass.derive_key(SECRET, "")) == 32


def test_tokens_are_made_and_narrowed_without_a_client() -> None:
    at = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    key = jobpass.derive_admin_key(SECRET, KEY)
    token = jobpass.admin_token(key, at)
    assert token == jobpass.admin_token(key, at + timedelta(minutes=29)) != jobpass.admin_token(key)
    assert len(jobpass.attenuate(token, events=["reset"])) > len(token)
    assert jobpass.attenuate(token, expires_in_seconds=60, now=at) == jobpass.attenuate(
        token, expires_at=at + timedelta(seconds=60)
    )
    with pytest.raises(InvalidInput):
        jobpass.attenuate(token)


def test_arguments_that_do_not_go_together(data: Path) -> None:
    wrong: list[dict[str, Any]] = [
        {"secret": None},
        {"secret": None, "account": None, "admin_key": KEY},
        {"token": "jp_log_x"},
    ]
    for given in wrong:
        with pytest.raises(InvalidInput):
            opened(data, **given)
    with pytest.raises(InvalidInput):
        jobpass.open("memory:", secret=SECRET)
    assert not data.exists()


def test_with_a_secret_and_no_account_the_token_is_the_callers(data: Path) -> None:
    with opened(data) as client:
        made = job(client)
    with opened(data, account=None, token=made.token) as holder:
        assert holder.send(made.uuid, "run").state == "RUNNING"
        assert holder.token == made.token
    with opened(data, account=None) as nobody, pytest.raises(InvalidToken):
        nobody.me()


def test_the_upkeep_is_done_while_the_client_lives(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobpass.compose.local.TEND_SECONDS", 0.01)
    monkeypatch.setattr("jobpass.client.inprocess.IDLE_SECONDS", 0.01)
    with opened(data) as client:
        made = job(client)
        with pytest.raises(InvalidToken):
            client.with_token(jobpass.attenuate(made.token, expires_at=datetime(2020, 1, 1, tzinfo=UTC))).job(made.uuid)
        deadline = time.monotonic() + 20
        while "refused" not in audit(data) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "refused" in audit(data), "what was noted is on the disk without a further request"


def test_nothing_shows_the_secrets(data: Path) -> None:
    assert SECRET not in repr(Entrance(SECRET, WHO, KEY))
    assert KEY not in repr(Entrance(SECRET, WHO, KEY))
    with opened(data, admin_key=KEY) as client:
        assert repr(client) == "Client('http://localhost', token=…)"
        assert repr(client.with_token("jp_doc_abc")) == "Client('http://localhost', token=jp_doc_…)"
