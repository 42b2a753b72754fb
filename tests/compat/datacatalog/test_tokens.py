"""Tokens under the seed system's names: every statement of its page, and what its table of weaknesses must not be."""

from __future__ import annotations

import copy
import hashlib
import hmac
import importlib
import json
import pickle
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable
from time import sleep, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jobpass
from datacatalog import tokens
from datacatalog.settings import SettingError
from datacatalog.tokens import get_admin_lifetime, get_admin_token, get_token, validate_admin_token, validate_token
from datacatalog.tokens.exceptions import InvalidAdminToken, InvalidToken

SECRET = "v9Tq2LxKe7wUo4Rz1NcYb6Hd8MfGs3Pa"
KEY = "STbmczGuxqvQSN6YCaA2CmHbpet2tZHc"  # the page's
OTHER_KEY = "q8Wn5XcRt2Vb7Lm4Kj9Hg1Fd6Sa3Po0I"
SALT = "3nvsaua8pm+ty5yctm2daq=="
UUID = "107b93f3-1eae-5e79-8a18-0a480f8aa3a5"
ADMIN = {"owner": "sd2eadm", "project": "SD2E-Community", "tenant": "sd2e"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment with a key and a secret, and no other setting of the tokens."""
    for name in ("TOKEN_LENGTH", "SALT_LENGTH", "ADMIN_TOKEN_LIFETIME"):
        monkeypatch.delenv(f"CATALOG_{name}", raising=False)
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_SECRET", SECRET)
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_KEY", KEY)


@pytest.fixture
def far_from_the_edge() -> None:
    """No window of a minute or a multiple of it ends during the test that asks for this."""
    if (remaining := 60 - time() % 60) < 5:
        sleep(remaining)


def answers(token: object, *args: object) -> bool:
    """What ``validate_token`` says, which is the same in both its ways of saying it."""
    valid = validate_token(token, *args)
    if valid:
        assert validate_token(token, *args, permissive=False) is True
    else:
        with pytest.raises(InvalidToken, match=r"^Token was not valid$"):
            validate_token(token, *args, permissive=False)
    return valid


# The page


def test_the_page_to_the_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_LIFETIME", "1")
    akey = "STbmczGuxqvQSN6YCaA2CmHbpet2tZHc"
    atoken = get_admin_token(akey)
    assert validate_token(atoken) is True
    sleep(get_admin_lifetime * 2)
    assert validate_token(atoken) is False
    atoken = get_admin_token(akey)
    assert validate_token(atoken) is True


def test_the_names_are_there() -> None:
    for name in ("generate_salt", "Salt", "get_token", "validate_token", "Token", "get_admin_token"):
        assert hasattr(tokens, name)
    assert tokens.__version__ == "0.7.0"
    assert tokens.InvalidAdminToken is tokens.admin.InvalidAdminToken is tokens.exceptions.InvalidAdminToken
    assert tokens.token.InvalidToken is tokens.exceptions.InvalidToken
    assert issubclass(InvalidAdminToken, InvalidToken)
    assert issubclass(InvalidToken, ValueError)
    for module in ("admin", "token", "salt", "classes", "exceptions"):
        assert importlib.import_module(f"datacatalog.tokens.{module}") is getattr(tokens, module)


# Document tokens


def test_a_document_token_is_of_its_salt_and_fields() -> None:
    token = get_token(SALT, [UUID, ADMIN])
    assert token == get_token(SALT, [UUID, ADMIN])
    assert answers(token, SALT, [UUID, ADMIN])
    assert not answers(token, "zv2b1uqk0n0tyl5e/hxz3a==", [UUID, ADMIN])
    assert not answers(token, SALT, [UUID, dict(reversed(ADMIN.items()))])
    assert not answers(token, SALT, UUID, ADMIN)
    assert not answers(token, SALT)


def test_a_document_token_is_the_hmac_that_its_description_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_TOKEN_LENGTH", "64")
    parts = [SALT.encode(), b"\xc3\xa9", b"7"]
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    key = jobpass.derive_key(SECRET, "datacatalog document token")
    assert get_token(SALT, "é", 7) == hmac.new(key, message, hashlib.sha256).hexdigest()


def test_another_secret_makes_another_token_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    token = get_token(SALT, UUID)
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_SECRET", SECRET[::-1])
    assert not answers(token, SALT, UUID)
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_SECRET", SECRET)
    assert answers(token, SALT, UUID)


@pytest.mark.parametrize("odd", [None, 7, b"x", ["x"], "", " ", "é" * 32, "\udcff" * 32, "0" * 32, "x" * 10_000])
def test_what_is_no_token_is_not_valid(odd: object) -> None:
    assert not answers(odd, SALT, UUID)
    assert not answers(odd)
    assert validate_admin_token(odd) is False


@pytest.mark.parametrize("change", [str.upper, " {}".format, "{} ".format, "{}0".format, lambda text: text[:-1]])
def test_a_changed_token_is_not_valid(change: Callable[[str], str]) -> None:
    for token, fields in ((get_token(SALT, "abc"), (SALT, "abc")), (get_admin_token(KEY), ())):
        assert answers(token, *fields)
        assert not answers(change(str(token)), *fields)


def test_permissive_is_a_keyword() -> None:
    token = get_token(SALT, UUID)
    assert not validate_token(token, SALT, UUID, False)  # a field, as it always was
    assert validate_token(get_token(SALT, UUID, False), SALT, UUID, False)


# Administrative tokens


def test_an_administrative_token_passes_for_any_record(far_from_the_edge: None) -> None:
    token = get_admin_token(KEY)
    assert token == get_admin_token(KEY)
    assert answers(token)
    assert answers(token, SALT)
    assert answers(token, SALT, UUID, "whatever")
    assert validate_admin_token(token, permissive=False) is True
    assert validate_admin_token(token, KEY, permissive=False) is True


def test_the_token_of_the_window_before_passes(far_from_the_edge: None) -> None:
    before = get_admin_token(KEY, previous=True)
    assert before != get_admin_token(KEY)
    assert answers(before)


def test_any_key_gives_a_token_and_only_the_environments_validates(far_from_the_edge: None) -> None:
    token = get_admin_token(OTHER_KEY)
    assert token.startswith("jp_adm_")
    assert not answers(token)
    assert not answers(token, SALT, UUID)
    assert validate_admin_token(token, key=OTHER_KEY) is True
    with pytest.raises(InvalidAdminToken, match=r"^Administrative token was not valid$"):
        validate_admin_token(token, permissive=False)
    assert validate_admin_token(get_admin_token(KEY), key=OTHER_KEY) is False


def test_a_key_under_another_secret_is_another_key(monkeypatch: pytest.MonkeyPatch, far_from_the_edge: None) -> None:
    token = get_admin_token(KEY)
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_SECRET", SECRET[::-1])
    assert not answers(token)


def test_a_document_token_is_no_administrative_one() -> None:
    assert validate_admin_token(get_token(SALT, UUID)) is False


@pytest.mark.parametrize("lifetime", [60, 3600, 86_400])
def test_an_approved_key_needs_no_secret(
    monkeypatch: pytest.MonkeyPatch, far_from_the_edge: None, lifetime: int
) -> None:
    key = jobpass.derive_admin_key(SECRET, KEY, lifetime)
    monkeypatch.delenv("CATALOG_ADMIN_TOKEN_SECRET")
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_KEY", key)
    assert get_admin_lifetime() == lifetime
    present = get_admin_token(key)
    assert answers(present)
    assert validate_admin_token(present, key)
    assert present != get_admin_token(key, previous=True)
    assert not answers(key)  # the key itself is not a token
    assert not answers("jp_adm_" + key.removeprefix("jp_adk_"))


def test_an_approved_key_gives_what_the_plain_text_gives(far_from_the_edge: None) -> None:
    assert get_admin_token(jobpass.derive_admin_key(SECRET, KEY)) == get_admin_token(KEY)


def test_a_narrowed_token_is_the_servers_to_judge(far_from_the_edge: None) -> None:
    assert not answers(jobpass.attenuate(get_admin_token(KEY), events=["update"]))


@pytest.mark.parametrize("key", ["", "short", "a" * 32, "jp_adk_", "jp_adk_AgIaAQ", "\udcff" * 20, b"k" * 20, 7])
def test_what_cannot_be_a_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        get_admin_token(key)
    with pytest.raises(ValueError, match=r"."):
        validate_admin_token("jp_adm_x", key)


def test_no_key_at_all() -> None:
    with pytest.raises(ValueError, match=r'^Value for "key" was expected$'):
        get_admin_token(None)  # type: ignore[arg-type]


def test_the_lifetime_is_a_function_and_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_admin_lifetime() == 3600
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_LIFETIME", "2")
    assert (get_admin_lifetime(), get_admin_lifetime * 2, 2 * get_admin_lifetime) == (2, 4, 4)
    assert (int(get_admin_lifetime), float(get_admin_lifetime), get_admin_lifetime * 0.5) == (2, 2.0, 1.0)
    assert list(range(get_admin_lifetime)) == [0, 1]


# What a token shows of itself


@pytest.mark.parametrize("made", [lambda: get_token(SALT, UUID), lambda: get_admin_token(KEY)])
def test_a_token_is_a_text_that_hides(made: Callable[[], tokens.Token]) -> None:
    token = made()
    body = token[7:]
    assert isinstance(token, tokens.Token)
    assert str(token) == f"{token}" == token
    assert type(str(token)) is str
    assert json.loads(json.dumps({"token": token})) == {"token": str(token)}
    for shown in (repr(token), repr({"token": token}), repr([token]), f"{token!r}", f"{(token,)}"):
        assert body not in shown
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps({"token": token}, protocol)
    assert copy.copy(token) is token
    assert copy.deepcopy({"token": token}) == {"token": token}


def test_a_token_is_lower_cased_unless_its_case_counts(far_from_the_edge: None) -> None:
    assert tokens.Token("A3B29F2C62EC9D15") == "a3b29f2c62ec9d15"
    assert tokens.Token(get_admin_token(KEY)) == get_admin_token(KEY)
    assert tokens.Salt("3nVsAuA8") == "3nvsaua8"


def test_no_error_shows_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    weak = "Weak"
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_SECRET", weak)
    for call in (lambda: get_token(SALT, UUID), lambda: get_admin_token(KEY), lambda: get_admin_token("jp_adk_Weak")):
        with pytest.raises(SettingError) as caught:
            call()
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        assert weak not in str(caught.value)


# The weaknesses of the seed system, by their numbers


PUBLISHED = {  # the defaults of python-datacatalog 0.2.6, encoded so that no scanner takes them for somebody's
    "key": b64decode(
        "RFJFQ2dwMmdCdHM1TTI2TG1malo1ZEZVekZjVG5ncGJiYzU0UHBKdlh3Y0V2NVo1a2trTTYzWkt5Uk5zZEVMTg=="
    ).decode(),
    "secret": b64decode("VH1nTFdMLSpFJTx3V2ZoOUpnVjQpUnc7czVNd2NCMj0=").decode(),
}


@pytest.mark.parametrize("variable", ["CATALOG_ADMIN_TOKEN_KEY", "CATALOG_ADMIN_TOKEN_SECRET"])
@pytest.mark.parametrize("value", [None, ""])
def test_w06_nothing_has_a_default(monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None) -> None:
    token = get_admin_token(KEY)
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    with pytest.raises(SettingError, match=f"{variable} is not set"):
        validate_token(token)
    with pytest.raises(SettingError, match=f"{variable} is not set"):
        validate_admin_token(token)
    if variable.endswith("KEY"):
        with pytest.raises(ValueError, match="jobpass admin-key request"):
            tokens.admin.get_admin_key()
    else:
        with pytest.raises(ValueError, match="token_urlsafe"):
            get_token(SALT, UUID)
        with pytest.raises(SettingError, match=variable):
            get_admin_token(KEY)


@pytest.mark.parametrize("variable", ["CATALOG_ADMIN_TOKEN_KEY", "CATALOG_ADMIN_TOKEN_SECRET"])
@pytest.mark.parametrize("value", PUBLISHED.values(), ids=PUBLISHED)
def test_w06_the_published_defaults_are_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingError, match=f"{variable} is a default that python-datacatalog published"):
        validate_token("jp_adm_x")
    if variable.endswith("SECRET"):
        with pytest.raises(SettingError, match="published"):
            get_token(SALT, UUID)


def test_w04_w07_nothing_mints_power_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in (None, KEY):
        with pytest.raises(InvalidAdminToken, match="get_admin_token"):
            tokens.admin.internal_get_admin_token(key)
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_KEY", jobpass.derive_admin_key(SECRET, KEY))
    monkeypatch.delenv("CATALOG_ADMIN_TOKEN_SECRET")
    with pytest.raises(SettingError, match="CATALOG_ADMIN_TOKEN_SECRET"):
        get_admin_token(OTHER_KEY)  # the holder of one key makes tokens of no other


def test_w07_a_document_token_is_checked_without_any_admin_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CATALOG_ADMIN_TOKEN_KEY")
    assert answers(get_token(SALT, UUID), SALT, UUID)


@pytest.mark.parametrize("lifetime", ["0", "-1", "1.5", "", "an hour", "1e3", "١", "604801", "9" * 5000])
def test_w08_a_lifetime_is_whole_seconds(monkeypatch: pytest.MonkeyPatch, lifetime: str) -> None:
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_LIFETIME", lifetime)
    for call in (get_admin_lifetime, lambda: get_admin_token(KEY), lambda: validate_token("jp_adm_x")):
        with pytest.raises(SettingError, match="CATALOG_ADMIN_TOKEN_LIFETIME must be a whole number from 1 to 604800"):
            call()


@pytest.mark.parametrize(
    ("wanted", "length"), [(None, 32), ("1", 32), ("16", 32), ("32", 32), (" 40 ", 40), ("64", 64), ("128", 64)]
)
def test_w09_a_token_has_at_least_128_bits(monkeypatch: pytest.MonkeyPatch, wanted: str | None, length: int) -> None:
    if wanted is not None:
        monkeypatch.setenv("CATALOG_TOKEN_LENGTH", wanted)
    token = get_token(SALT, UUID)
    assert len(token) == length
    assert set(token) <= set("0123456789abcdef")
    assert answers(token, SALT, UUID)
    assert not answers(token[:-1], SALT, UUID)
    assert not answers(token[:16], SALT, UUID)


@pytest.mark.parametrize("length", ["0", "-1", "", "none", "16.0", "0x20"])
def test_w09_no_length_makes_an_empty_token_valid(monkeypatch: pytest.MonkeyPatch, length: str) -> None:
    monkeypatch.setenv("CATALOG_TOKEN_LENGTH", length)
    with pytest.raises(SettingError, match="CATALOG_TOKEN_LENGTH must be a whole number"):
        get_token(SALT, UUID)
    with pytest.raises(SettingError, match="CATALOG_TOKEN_LENGTH must be a whole number"):
        validate_token("", SALT, UUID)
    assert validate_token("") is False


def test_w09_w13_salt_and_fields_do_not_make_a_token() -> None:
    # What the seed system's algorithm, a plain SHA-256, gave for this salt and these fields.
    assert not answers("c4af0d5d4dcccf46", SALT, [UUID, ADMIN])
    assert not get_token(SALT, [UUID, ADMIN]).startswith("c4af0d5d4dcccf46")


def test_w10_fields_do_not_run_into_each_other() -> None:
    ways = [("s", "a:b", "c"), ("s", "a", "b:c"), ("s:a", "b", "c"), ("s", "a:b:c"), ("s", "a", "b", "c"), ("sa", "bc")]
    assert len({get_token(*way) for way in ways}) == len(ways)


@given(st.lists(st.text(), min_size=1, max_size=4), st.lists(st.text(), min_size=1, max_size=4))
def test_w10_other_fields_give_another_token(one: list[str], other: list[str]) -> None:
    one[0], other[0] = one[0] or "s", other[0] or "s"
    assert (get_token(*one) == get_token(*other)) is (one == other)


def test_w10_no_window_runs_into_the_key(far_from_the_edge: None) -> None:
    made = {get_admin_token(KEY + ending, previous) for ending in ("", ":1", ":5") for previous in (False, True)}
    assert len(made) == 6


class Telling(str):
    """A text that tells when it is compared in the ordinary way."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared with ==")

    __hash__ = str.__hash__


def test_w11_tokens_are_compared_in_constant_time(far_from_the_edge: None) -> None:
    assert answers(Telling(get_token(SALT, UUID)), SALT, UUID)
    assert not answers(Telling("0" * 32), SALT, UUID)
    assert answers(Telling(get_admin_token(KEY)))
    assert answers(Telling(get_admin_token(KEY, previous=True)))
    assert validate_admin_token(Telling("jp_adm_x")) is False


@pytest.mark.parametrize("salt", [None, ""])
def test_w12_without_a_salt_there_is_no_document_token(salt: str | None) -> None:
    with pytest.raises(ValueError, match="A salt is needed"):
        get_token(salt, UUID)
    for constant in ("dc937b59892604f5", "dc937b59892604f5a86ac96936cd7ff09e25f18ae6b758e8014a24c7fa039e91"):
        assert not answers(constant)
        assert not answers(constant, salt, UUID)
    assert not answers(get_token("None", UUID), salt, UUID)


def test_w15_a_scope_is_of_one_token() -> None:
    user, admin = tokens.Token("a"), tokens.Token("b", scope="admin")
    assert (user.scope, admin.scope, get_token(SALT).scope) == ("user", "admin", "user")


def test_b01_a_salt_keeps_its_randomness(monkeypatch: pytest.MonkeyPatch) -> None:
    salts = {tokens.generate_salt() for _ in range(50)}
    assert len(salts) == 50
    for salt in salts:
        assert isinstance(salt, tokens.Salt)
        assert salt == salt.lower()
        assert len(b64decode(salt)) == 20
        assert 5 * len(salt.rstrip("=")) >= 128  # 32 letters or more of equal chance, in each character
    for length, size in ((1, 20), (16, 20), (17, 21), (32, 39), (1024, 1229)):
        assert len(b64decode(tokens.generate_salt(length))) == size
    monkeypatch.setenv("CATALOG_SALT_LENGTH", "32")
    assert len(b64decode(tokens.generate_salt())) == 39
    for length in (0, -1, 1025):
        with pytest.raises(ValueError, match="A salt has 1 to 1024 bytes"):
            tokens.generate_salt(length)


def test_importing_the_package_costs_next_to_nothing() -> None:
    program = "import sys; before = set(sys.modules); import datacatalog; print(sorted(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['datacatalog']"
