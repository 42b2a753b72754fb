"""Mint, attenuate, verify, check: what is accepted, and with which class the rest is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from jobpass.errors import ForgedToken, InvalidInput, MalformedToken, UnknownKey, WrongKind
from jobpass.tokens import mint, token
from jobpass.tokens.access import Access
from jobpass.tokens.attenuate import admin_lifetime, admin_token, attenuate
from jobpass.tokens.caveats import Actions, Events, ExpiresAt, Jobs, write_all
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mac import chain
from jobpass.tokens.token import Verified, parse
from jobpass.tokens.verify import Objection, Verifier, check_admin_window, check_caveats


def epoch(at: datetime) -> int:
    return int(at.timestamp())


def test_each_kind_verifies(verifier: Verifier, texts: dict[str, str], given: Any) -> None:
    for kind in ("document", "login", "job", "apikey"):
        verified = verifier.verify(texts[kind])
        assert (verified.kind, verified.kid, verified.caveats) == (kind, given.kid_text, ())
        assert verified.credential_id == (None if kind == "document" else given.credential)
        assert verified.lifetime_seconds is None
        assert verifier.verify(texts[kind]) == verified
    document = verifier.verify(texts["document"])
    assert (document.job_uuid, document.serial) == (given.job, given.serial)


def test_the_same_arguments_give_the_same_text(keyring: Keyring, texts: dict[str, str], given: Any) -> None:
    assert mint.mint_document(keyring, given.kid_text, given.job, given.serial) == texts["document"]
    others = {
        mint.mint_document(keyring, given.kid_text, given.job, given.serial + 1),
        mint.mint_document(keyring, given.kid_text, given.other_job, given.serial),
        mint.mint_document(keyring, given.kid_text, given.job, given.serial, [Events(())]),
    }
    assert len(others | {texts["document"]}) == 4


def test_verified_holds_no_secret(verifier: Verifier, texts: dict[str, str]) -> None:
    shown = repr(verifier.verify(texts["login"])) + repr(verifier)
    assert texts["login"][-8:] not in shown
    assert parse(texts["login"]).signature.hex()[:8] not in shown


def test_kinds_do_not_pass_for_each_other(keyring: Keyring, cold: Verifier, given: Any) -> None:
    """The same credential's id under another kind has another key, even when the whole identifier is rewritten."""
    signed = keyring.token_key(given.kid_text, "login").mac(
        token.credential_identifier("apikey", given.kid_text, given.credential)
    )
    identifier = token.credential_identifier("apikey", given.kid_text, given.credential)
    with pytest.raises(ForgedToken):
        cold.verify(token.write("jp_key_", identifier, (), signed))


@pytest.mark.parametrize("prefix", ["jp_doc_", "jp_adm_", "jp_log_", "jp_job_", "jp_key_", "jp_adk_"])
def test_another_prefix_is_refused(cold: Verifier, texts: dict[str, str], prefix: str) -> None:
    for text in texts.values():
        if text.startswith(prefix) and prefix != "jp_adk_":
            continue
        with pytest.raises((MalformedToken, WrongKind)):
            cold.verify(prefix + text[7:])


def test_a_key_that_is_not_in_the_keyring(texts: dict[str, str], given: Any, keyring: Keyring) -> None:
    rotated = keyring.rotate(given.other_kid, given.other_root)
    assert Verifier(rotated).verify(texts["login"]).kid == given.kid_text
    for without in (Keyring.generate(given.other_kid, given.other_root), rotated.retire(given.kid_text)):
        with pytest.raises(UnknownKey):
            Verifier(without).verify(texts["login"])
        with pytest.raises(UnknownKey):
            mint.mint_document(without, given.kid_text, given.job, given.serial)


def test_another_root_key_under_the_same_kid(texts: dict[str, str], given: Any) -> None:
    with pytest.raises(ForgedToken):
        Verifier(Keyring.generate(given.kid, given.other_root)).verify(texts["login"])


def test_mint_signs_with_the_active_key_unless_told(given: Any, keyring: Keyring) -> None:
    rotated = keyring.rotate(given.other_kid, given.other_root)
    assert parse(mint.mint_credential(rotated, "job", given.credential)).kid == "ffeeddcc"
    assert parse(mint.mint_credential(rotated, "job", given.credential, kid=given.kid_text)).kid == given.kid_text
    assert parse(mint.mint_admin_key(rotated, given.credential, 60)).kid == "ffeeddcc"


def test_a_caveat_that_cannot_be_read_refuses_the_whole_token(keyring: Keyring, cold: Verifier, given: Any) -> None:
    identifier = token.credential_identifier("login", given.kid_text, given.credential)
    for caveat in (b"", b"expires_at", b'["newer_rule",1]', b'["jobs",["a"],{"except":"b"}]', b'["jobs",["\xff"]]'):
        caveats = (b'["jobs",[]]', caveat)
        signature = chain(keyring.token_key(given.kid_text, "login").mac(identifier), caveats)
        with pytest.raises(MalformedToken):
            cold.verify(token.write("jp_log_", identifier, caveats, signature))
        with pytest.raises(ForgedToken):
            cold.verify(token.write("jp_log_", identifier, caveats, bytes(32)))


def test_attenuate_adds_in_order_and_keeps_the_prefix(verifier: Verifier, texts: dict[str, str], given: Any) -> None:
    for kind in ("document", "login", "job", "apikey"):
        once = attenuate(texts[kind], [ExpiresAt(5), Jobs((given.job,))])
        twice = attenuate(once, [Events(("update",))])
        assert twice[:7] == texts[kind][:7]
        assert verifier.verify(twice).caveats == (ExpiresAt(5), Jobs((given.job,)), Events(("update",)))
        assert attenuate(texts[kind], []) == texts[kind]
        assert attenuate(texts[kind], [ExpiresAt(5), Jobs((given.job,)), Events(("update",))]) == twice


def test_mint_with_caveats_is_mint_and_attenuate(keyring: Keyring, texts: dict[str, str], given: Any) -> None:
    caveats = [ExpiresAt(5), Events(("update",))]
    minted = mint.mint_document(keyring, given.kid_text, given.job, given.serial, caveats)
    assert minted == attenuate(texts["document"], caveats)


def test_attenuate_refuses_what_no_server_would_read(texts: dict[str, str]) -> None:
    full = attenuate(texts["login"], [Jobs(())] * token.MAX_CAVEATS)
    with pytest.raises(InvalidInput, match="64 conditions"):
        attenuate(full, [Jobs(())])
    with pytest.raises(InvalidInput, match="8192 characters"):
        attenuate(texts["login"], [Jobs(tuple("x" * 200 for _ in range(40)))])
    with pytest.raises(InvalidInput):
        attenuate(texts["login"], [ExpiresAt(-1)])
    with pytest.raises(MalformedToken):
        attenuate("jp_log_", [ExpiresAt(5)])


def test_an_admin_token_from_its_key(verifier: Verifier, texts: dict[str, str], given: Any) -> None:
    made = admin_token(texts["admin"], given.now)
    assert made.startswith("jp_adm_")
    assert admin_lifetime(texts["admin"]) == given.lifetime
    verified = verifier.verify(made)
    assert (verified.kind, verified.credential_id, verified.lifetime_seconds) == (
        "admin",
        given.credential,
        given.lifetime,
    )
    assert verified.caveats == (ExpiresAt(epoch(given.now) + 2 * given.lifetime),)


def test_an_admin_token_is_the_same_within_its_window(texts: dict[str, str], given: Any) -> None:
    start = given.now  # a full hour
    last = start + timedelta(seconds=given.lifetime) - timedelta(microseconds=1)
    assert admin_token(texts["admin"], start) == admin_token(texts["admin"], last)
    assert admin_token(texts["admin"], start) != admin_token(texts["admin"], start - timedelta(microseconds=1))
    assert admin_token(texts["admin"], start) != admin_token(texts["admin"], last + timedelta(microseconds=1))


def test_an_admin_token_lives_from_l_to_2_l(verifier: Verifier, texts: dict[str, str], given: Any) -> None:
    for offset in (0, 1, 1799, 3599):
        at = given.now + timedelta(seconds=offset)
        (caveat,) = verifier.verify(admin_token(texts["admin"], at)).caveats
        assert isinstance(caveat, ExpiresAt)
        assert given.lifetime < caveat.at - epoch(at) <= 2 * given.lifetime


def test_an_admin_key_is_no_bearer(cold: Verifier, texts: dict[str, str], given: Any) -> None:
    key = texts["admin"]
    for text in (
        key,
        "jp_adm_" + key[7:],
        "jp_adm_" + attenuate(key, [Actions(("jobs.read",))])[7:],
        "jp_adk_" + admin_token(key, given.now)[7:],
    ):
        with pytest.raises(WrongKind):
            cold.verify(text)


@pytest.mark.parametrize("kind", ["document", "login", "job", "apikey"])
def test_only_an_admin_key_makes_admin_tokens(texts: dict[str, str], given: Any, kind: str) -> None:
    with pytest.raises(WrongKind):
        admin_token(texts[kind], given.now)
    with pytest.raises(WrongKind):
        admin_lifetime(texts[kind])
    with pytest.raises(WrongKind):
        admin_lifetime(admin_token(texts["admin"], given.now))


def test_the_scope_of_a_key_goes_into_its_tokens(keyring: Keyring, verifier: Verifier, given: Any) -> None:
    key = mint.mint_admin_key(keyring, given.credential, 60, [Events(("reset",))])
    verified = verifier.verify(admin_token(key, given.now))
    assert verified.caveats[0] == Events(("reset",))
    assert check_caveats(verified, Access("jobs.event", given.now, given.job, "reset")) == ()
    (objection,) = check_caveats(verified, Access("jobs.event", given.now, given.job, "delete"))
    assert objection.code == "events"


def test_the_admin_window(verifier: Verifier, texts: dict[str, str], given: Any) -> None:
    """With expiry e and lifetime L, accepted exactly from e - 2 L - 60 to before e."""
    expiry = given.now + timedelta(seconds=2 * given.lifetime)
    verified = verifier.verify(admin_token(texts["admin"], given.now))
    tick = timedelta(microseconds=1)
    first = expiry - timedelta(seconds=2 * given.lifetime + 60)

    def codes(at: datetime) -> list[str]:
        objections = check_caveats(verified, Access("jobs.read", at))
        assert all(objection.expired for objection in objections)
        return [objection.code for objection in objections]

    assert [codes(at) for at in (first - tick, first, given.now, expiry - tick, expiry)] == [
        ["admin_window"],
        [],
        [],
        [],
        ["expires_at"],
    ]


def test_an_admin_token_for_ever_is_refused(verifier: Verifier, texts: dict[str, str], given: Any) -> None:
    """The holder of a key can write any time into a token; only the window counts, and nothing added can open it."""
    read = parse(texts["admin"])
    caveats = write_all([ExpiresAt(epoch(given.now) + 10**9)])
    far = token.write("jp_adm_", read.identifier, caveats, chain(read.signature, caveats))
    nearer = attenuate(far, [ExpiresAt(epoch(given.now) + 60)])
    for text in (far, nearer):
        verified = verifier.verify(text)
        (objection,) = check_caveats(verified, Access("jobs.read", given.now))
        assert objection == check_admin_window(verified, Access("jobs.read", given.now))[0]
        assert (objection.code, objection.expired) == ("admin_window", True)


def test_a_narrowed_admin_token(verifier: Verifier, texts: dict[str, str], given: Any) -> None:
    text = attenuate(admin_token(texts["admin"], given.now), [ExpiresAt(epoch(given.now) + 10**9), Jobs((given.job,))])
    assert check_caveats(verifier.verify(text), Access("jobs.read", given.now, given.job)) == ()
    (objection,) = check_caveats(verifier.verify(text), Access("jobs.read", given.now, given.other_job))
    assert objection.code == "jobs"


def test_an_admin_key_has_no_end_of_its_own(keyring: Keyring, texts: dict[str, str], given: Any) -> None:
    with pytest.raises(InvalidInput, match="does not expire"):
        attenuate(texts["admin"], [ExpiresAt(5)])
    with pytest.raises(InvalidInput, match="does not expire"):
        mint.mint_admin_key(keyring, given.credential, 60, [Jobs(()), ExpiresAt(5)])


def test_no_window_for_other_kinds(verifier: Verifier, texts: dict[str, str], given: Any) -> None:
    verified = verifier.verify(attenuate(texts["login"], [ExpiresAt(epoch(given.now) + 10**9)]))
    assert check_admin_window(verified, Access("jobs.read", given.now)) == ()
    assert check_caveats(verified, Access("jobs.read", given.now)) == ()


def test_every_objection_is_collected(verifier: Verifier, texts: dict[str, str], given: Any) -> None:
    now = epoch(given.now)
    caveats = [Jobs(("a",)), ExpiresAt(now), Events(("update",)), ExpiresAt(now + 1), Actions(("jobs.event",))]
    verified = verifier.verify(attenuate(texts["job"], caveats))
    objections = check_caveats(verified, Access("jobs.event", given.now, given.job, "finish"))
    assert [(o.code, o.expired) for o in objections] == [("jobs", False), ("expires_at", True), ("events", False)]
    assert objections[1] == Objection("expires_at", "The token has expired.", True)


def test_the_cache_never_spares_the_clock(verifier: Verifier, texts: dict[str, str], given: Any) -> None:
    text = attenuate(texts["login"], [ExpiresAt(epoch(given.now))])
    before, after = (Access("me.read", given.now + timedelta(seconds=s), None) for s in (-1, 0))
    assert check_caveats(verifier.verify(text), before) == ()
    assert check_caveats(verifier.verify(text), after) != ()


def test_a_good_token_in_the_cache_does_not_help_a_bad_one(verifier: Verifier, texts: dict[str, str]) -> None:
    text = texts["login"]
    verifier.verify(text)
    for bad in (
        text[:-1] + ("A" if text[-1] != "A" else "Q"),
        text + "A",
        text[:-1],
        "jp_job_" + text[7:],
        text + "\n",
    ):
        for _ in range(3):
            with pytest.raises((MalformedToken, ForgedToken)):
                verifier.verify(bad)
    assert verifier.verify(text).kind == "login"


@pytest.mark.parametrize("size", [0, 1, 2, 3, 10])
def test_the_cache_is_bounded_and_changes_no_answer(keyring: Keyring, texts: dict[str, str], size: int) -> None:
    verifier = Verifier(keyring, cache_size=size)
    many = [attenuate(texts["login"], [ExpiresAt(at)]) for at in range(30)]
    for _ in range(2):
        for at, text in enumerate(many):
            assert verifier.verify(text).caveats == (ExpiresAt(at),)
            assert verifier.verify(many[0]).caveats == (ExpiresAt(0),)
            assert verifier.cached <= max(size, 2 * min(size, 1))
    assert verifier.cached >= size // 2


def test_what_is_used_stays_in_the_cache(keyring: Keyring, texts: dict[str, str]) -> None:
    verifier = Verifier(keyring, cache_size=10)
    kept = verifier.verify(texts["login"])
    for at in range(100):
        verifier.verify(attenuate(texts["login"], [ExpiresAt(at)]))
        assert verifier.verify(texts["login"]) is kept


@pytest.mark.parametrize(
    "text",
    ["", "\x00", "jp_log_\ud800", "\udcff", "x" * 100_000, None, 3, b"jp_log_", ["jp_log_"], object()],
    ids=lambda text: repr(text)[:20].encode("ascii", "backslashreplace").decode(),
)
def test_what_is_no_text_of_a_token(verifier: Verifier, text: Any) -> None:
    with pytest.raises(MalformedToken) as caught:
        verifier.verify(text)
    assert caught.value.__context__ is None, "the cause may hold the text"


def test_no_error_holds_the_text(verifier: Verifier, cold: Verifier, texts: dict[str, str], given: Any) -> None:
    forged = texts["login"][:-2] + "AA"
    unknown = mint.mint_credential(Keyring.generate(given.other_kid, given.other_root), "job", given.credential)
    for text in (forged, unknown, texts["admin"], texts["login"] + "!", "\ud800" + texts["login"]):
        with pytest.raises((MalformedToken, ForgedToken, UnknownKey, WrongKind)) as caught:
            verifier.verify(text)
        shown = repr(caught.value) + str(caught.value.detail)
        assert text[20:40] not in shown


def test_a_moment_of_another_zone_is_the_same_moment(texts: dict[str, str], given: Any) -> None:
    elsewhere = given.now.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert admin_token(texts["admin"], elsewhere) == admin_token(texts["admin"], given.now)


def test_an_admin_token_without_an_end_is_objected_to_even_if_it_got_here() -> None:
    endless = Verified("admin", "00000000", None, None, "ab" * 16, 3600, ())
    assert [one.code for one in check_admin_window(endless, Access("jobs.read", datetime.now(UTC)))] == ["admin_window"]
