"""``datacatalog.tokens.validate_token`` on a document token, beside the seed system's algorithm written plainly.

That is, a SHA-256 sum for the administrative token and one for the document's, each compared with ``==``; it has its
secrets and settings in constants, where ours reads the environment at every call and makes an HMAC.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256

from benchmarks.common import Row, alternate, at_most
from datacatalog.tokens import generate_salt, get_admin_token, get_token, validate_token

SECRET = "v9Tq2LxKe7wUo4Rz1NcYb6Hd8MfGs3Pa"
KEY = "STbmczGuxqvQSN6YCaA2CmHbpet2tZHc"
LIFETIME_SECONDS = 3600
LENGTH = 16
UUID = "107b93f3-1eae-5e79-8a18-0a480f8aa3a5"
FIELDS = {
    "two fields": (UUID, "sd2eadm"),
    "one list, as the stores gave": ([UUID, {"owner": "sd2eadm", "project": "SD2E-Community", "tenant": "sd2e"}],),
}
BOUND = 1.5


def run(runs: int = 41) -> list[Row]:
    """The rows of the table; each figure is the median of ``runs`` alternating runs."""
    rows = []
    with _environment():
        for name, fields in FIELDS.items():
            rows += _compared(name, fields, runs)
        admin = get_admin_token(KEY)
        value = alternate({"": lambda: _checked(validate_token(admin))}, runs, cpu=True).median("") * 1e6
        rows.append(Row("an administrative token", value, "µs", note="two macaroons made and compared"))
    return rows


def _compared(name: str, fields: tuple[object, ...], runs: int) -> list[Row]:
    salt = generate_salt()
    ours, theirs, forged = get_token(salt, *fields), _plain_token(salt, *fields), "0" * 32
    calls: dict[str, Callable[[], None]] = {
        "plain": lambda: _checked(_plain_validate(theirs, salt, *fields)),
        "ours": lambda: _checked(validate_token(ours, salt, *fields)),
        "refused": lambda: _checked(not validate_token(forged, salt, *fields)),
    }
    times = alternate(calls, runs, cpu=True)
    micros = {each: times.median(each) * 1e6 for each in calls}
    return [
        Row(f"the original algorithm, {name}", micros["plain"], "µs", 1.0),
        at_most(f"validate_token, {name}", micros["ours"], "µs", times.ratio("ours", "plain"), BOUND),
        at_most(f"validate_token, {name}, forged", micros["refused"], "µs", times.ratio("refused", "plain"), BOUND),
    ]


def _plain_validate(token: str, salt: str, *fields: object) -> bool:
    """Whether it is the administrative token of this window, or the document's."""
    parts = [SECRET, KEY]
    parts.extend(str(int(time.time() / LIFETIME_SECONDS)))
    message = ":".join([str(part) for part in parts])
    if token == sha256(message.encode("utf-8")).hexdigest()[0:LENGTH]:
        return True
    return token == _plain_token(salt, *fields)


def _plain_token(salt: str, *fields: object) -> str:
    parts: list[object] = [salt]
    parts.extend(fields)
    message = ":".join([str(part) for part in parts])
    return sha256(message.encode("utf-8")).hexdigest()[0:LENGTH]


def _checked(valid: bool) -> None:
    if not valid:
        raise AssertionError


@contextmanager
def _environment() -> Iterator[None]:
    """The two variables that tokens need, and what was there before put back."""
    before = dict(os.environ)
    for name in ("TOKEN_LENGTH", "ADMIN_TOKEN_LIFETIME"):
        os.environ.pop(f"CATALOG_{name}", None)
    os.environ.update(CATALOG_ADMIN_TOKEN_SECRET=SECRET, CATALOG_ADMIN_TOKEN_KEY=KEY)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
