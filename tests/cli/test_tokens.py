"""``token create`` and its like, ``apikey``, ``platform``, and accounts with what they may."""

from __future__ import annotations

import secrets
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import jobpass

ID = "999999999"


@pytest.fixture
def platform(operator: jobpass.Client) -> str:
    return operator.create_platform(f"sim:{secrets.token_hex(4)}").name


def name() -> str:
    return f"t-{secrets.token_hex(4)}"


def opens(url: str, token: str) -> bool:
    with jobpass.Client(url, token) as client:
        try:
            client.me()
        except jobpass.errors.InvalidToken:
            return False
        return True


def test_a_token_from_its_making_to_its_end(logged_in: Any, shell: Any, installation: Any) -> None:
    label = name()
    done = shell("token", "create", "--label", label, "--duration", "2h", "--priority", "1")
    text = done.stdout.strip()
    assert (done.returncode, text[:7], done.stdout.count("\n")) == (0, "jp_job_", 1)
    assert label in done.stderr
    assert text not in done.stderr
    (record,) = [one for one in shell.json("token", "list")["tokens"] if one["label"] == label]
    number = record["id"]
    assert f"Token {number}, {label}, until" in done.stderr
    assert opens(installation.url, text)
    shown = shell.json("token", "show", number)
    assert (shown["label"], shown["priority"], shown["state"], shown["count"]) == (label, 1, "active", 1)
    left = datetime.fromisoformat(shown["expiration_date"]) - datetime.now(UTC)
    assert 7100 < left.total_seconds() <= 7200
    for output in (shell.good("token", "show", number), shell.good("token", "list")):
        assert label in output
        assert text not in output
    assert shell.json("token", "update", number, "--label", label + "x", "--priority", "0")["label"] == label + "x"
    assert shell.good("token", "revoke", number) == f"{number} is revoked.\n"
    assert not opens(installation.url, text)
    assert str(number) not in [line.split("\t")[0] for line in shell.good("token", "list").splitlines()]
    assert f"{number}\trevoked\t" in shell.good("token", "list", "--revoked", "--expired")
    assert shell.json("token", "reopen", stdin=text + "\n") == {"reopened": 1, "ids": []}
    assert opens(installation.url, text)
    (shell.home / "leaked").write_text(text + "\n")
    assert shell.good("token", "revoke", "--compromised", "--file", "leaked") == "1 revoked.\n"
    refused = shell("token", "reopen", number)
    assert (refused.returncode, "for good" in refused.stderr) == (5, True)
    assert shell.json("token", "delete", number) == {"deleted": 1, "ids": [number]}
    assert shell("token", "show", number).returncode == 4


def test_several_at_once(logged_in: Any, here: Any, installation: Any) -> None:
    made = [here.json("token", "create") for _ in range(3)]
    ids = [one["token_id"] for one in made]
    assert here.json("token", "revoke", ids[0], ids[1], ids[0]) == {"revoked": 2, "ids": ids[:2]}
    assert here("token", "delete", ids[2], ID).returncode == 4
    assert opens(installation.url, made[2]["token"]), "all or none"
    assert here.good("token", "delete", stdin="\n".join(one["token"] for one in made)) == "3 deleted.\n"
    assert not opens(installation.url, made[2]["token"])


def test_a_token_goes_into_a_private_file(logged_in: Any, here: Any, installation: Any) -> None:
    for made in (["token", "create"], ["apikey", "create"]):
        place = here.home / made[0]
        shown = here.json(*made, "--label", name(), "--out", place.name)
        text = place.read_text().strip()
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert (shown["file"], text in str(shown)) == (place.name, False)
        again = here(*made, "--out", place.name)
        assert (again.returncode, "cannot be made" in again.stderr) == (2, True)
        assert place.read_text().strip() == text
        refused = here(*made, "--out", "never", "--duration", "1s", "--label", " ")
        assert refused.returncode == 2
        assert not (here.home / "never").exists()
    assert opens(installation.url, (here.home / "token").read_text().strip())


def test_what_is_made_with_a_token_is_less(logged_in: Any, here: Any) -> None:
    parent = here.json("token", "create", "--duration", "1h", "--label", name())
    (here.home / "parent").write_text(parent["token"])
    wanted = ["--duration", "7d", "--actions", "account.read,jobs.read", "--platforms", "sim:a", "--no-mint"]
    child = here.json("token", "create", *wanted, "--token-file", "parent")
    assert child["duration"] <= 3600
    shown = here.json("token", "show", child["token_id"])
    assert (shown["parent"], shown["actions"]) == (parent["credential"], ["account.read", "jobs.read"])
    assert (shown["platforms"], shown["may_mint"]) == (["sim:a"], False)
    assert "actions: account.read, jobs.read\n" in here.good("token", "show", child["token_id"])
    (here.home / "child").write_text(child["token"])
    assert here("token", "create", "--token-file", "child").returncode == 3
    assert here("token", "create", "--priority", "1", "--token-file", "parent").returncode == 5
    here.good("token", "revoke", parent["token_id"])
    assert here.json("token", "show", child["token_id"])["state"] == "revoked"


def test_tokens_of_others_are_an_operators_business(
    logged_in: Any, here: Any, operator: jobpass.Client, installation: Any
) -> None:
    email = f"{secrets.token_hex(4)}@example.org"
    ann = operator.create_user(email, "quite unusual words")
    made = here.json("token", "create", "--user", email)
    assert [one["id"] for one in here.json("token", "list", "--user", ann.id)["tokens"]] == [made["token_id"]]
    (here.home / "ann").write_text(made["token"])
    assert here("token", "list", "--user", "1", "--token-file", "ann").returncode == 3
    assert here("token", "list", "--user", "nobody@example.org").returncode == 4
    assert [one["id"] for one in here.json("token", "list", "--token-file", "ann")["tokens"]] == [made["token_id"]]


def test_api_keys(logged_in: Any, here: Any, platform: str) -> None:
    label = name()
    made = here.json("apikey", "create", "--label", label, "--platforms", platform, "--duration", "90d")
    number, key = made["id"], made["key"]
    assert (key[:7], made["platforms"], made["duration"]) == ("jp_key_", [platform], 90 * 86_400)
    assert f"{number}\tactive\t0\t" in here.good("apikey", "list", "--limit", "100000")
    for shown in (here.good("apikey", "show", number), here.good("apikey", "list")):
        assert label in shown
        assert platform in shown
        assert key not in shown
    (here.home / "key").write_text(key)
    assert here("token", "list", "--token-file", "key").returncode == 3
    assert here.good("apikey", "revoke", number) == f"{number} is revoked.\n"
    assert number not in [one["id"] for one in here.json("apikey", "list")["api_keys"]]
    assert number in [one["id"] for one in here.json("apikey", "list", "--revoked", "--expired")["api_keys"]]
    assert here.json("apikey", "reopen", number)["state"] == "active"
    assert here.json("apikey", "revoke", number, "--compromised")["state"] == "compromised"
    assert here("apikey", "reopen", number).returncode == 5
    assert here.json("apikey", "delete", number) == {"id": number, "deleted": True}
    assert here("apikey", "show", number).returncode == 4
    text = here("apikey", "create")
    assert (text.stdout[:7], text.stdout.count("\n")) == ("jp_key_", 1)
    assert text.stdout.strip() not in text.stderr


def test_platforms(logged_in: Any, here: Any, operator: jobpass.Client, tmp_path: Path) -> None:
    platform = f"qpu:{secrets.token_hex(4)}"
    described = ["--description", "a machine", "--type", "physical", "--max-shots", 1000, "--max-duration", "10m"]
    planned = ["--maintenance-from", "2030-01-01T00:00:00Z", "--maintenance-until", "2030-01-02T00:00:00Z"]
    made = here.json("platform", "create", platform, *described, *planned, "--constraints", '{"nodes": 3}')
    assert (made["name"], made["max_duration"], made["constraints"]) == (platform, 600, {"nodes": 3})
    shown = here.good("platform", "show", platform)
    for text in (
        "type: physical",
        'constraints: {"nodes":3}',
        "maintenance: from 2030-01-01 00:00:00.000Z until 2030-01-02 00:00:00.000Z",
    ):
        assert text in shown
    assert f"{platform}\tavailable\tphysical\ta machine\n" in here.good("platform", "list")
    changed = here.json("platform", "update", platform, "--status", "unavailable", "--no-max-shots", "--no-maintenance")
    assert (changed["status"], changed["max_shots"], changed["maintenance"]) == ("unavailable", None, None)
    assert (changed["max_duration"], changed["constraints"]) == (600, {"nodes": 3})
    assert here.json("platform", "update", platform, "--no-max-duration")["max_duration"] is None
    (here.home / "config" / "jobpass" / "login.json").unlink()
    public = here.json("platform", "list", "--public", "--url", operator.url)["platforms"]
    assert [one["status"] for one in public if one["name"] == platform] == ["unavailable"]
    (here.home / "operator").write_text(str(operator.token))
    retire = ("platform", "retire", platform, "--url", operator.url, "--token-file", "operator")
    unasked = here(*retire)
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    assert here.json(*retire, "--yes")["status"] == "retired"
    assert here.json("platform", "list", "--public", "--url", operator.url)["platforms"] != public


def test_accounts_with_what_they_may(logged_in: Any, here: Any, platform: str, operator: jobpass.Client) -> None:
    email = f"{secrets.token_hex(4)}@example.org"
    names = ["--first-name", "Ann", "--last-name", "Bell", "--priority", 5, "--company", 7]
    limits = ["--max-jobs-in-queue", 3, "--max-concurrent-jobs", 1, "--platforms", platform]
    made = here.json("user", "create", email, *names, *limits)
    assert (made["first_name"], made["last_name"], made["priority"], made["company_id"]) == ("Ann", "Bell", 5, 7)
    ids = [operator.platform(platform).id]
    assert (made["max_jobs_in_queue"], made["max_concurrent_jobs"], made["platform_ids"]) == (3, 1, ids)
    shown = here.good("user", "show", email)
    for text in ("first_name: Ann", "priority: 5", f"platform_ids: {ids[0]}", "max_concurrent_jobs: 1"):
        assert text in shown
    changed = here.json("user", "update", email, "--last-name", "Cole", "--platforms", ids[0], "--no-company")
    assert (changed["last_name"], changed["platform_ids"], changed["company_id"]) == ("Cole", ids, None)
    assert (changed["first_name"], changed["priority"]) == ("Ann", 5)
    assert here.json("user", "update", made["id"], "--platforms", "")["platform_ids"] == []
    assert here.json("user", "update", made["id"], "--all-platforms")["platform_ids"] is None
    for verb, who in (("create", f"z{email}"), ("update", email)):
        refused = here("user", verb, who, "--platforms", f"nosuch,{platform},sim:none")
        assert (refused.returncode, refused.stdout) == (4, "")
        assert refused.stderr == "jobpass: No platform has the name or id nosuch or sim:none.\n"
    assert here("user", "show", f"z{email}").returncode == 4  # nobody was made
    assert here.json("user", "update", email, "--admin")["role"] == "operator"
    assert here.json("user", "update", email, "--no-admin", "--email", "x" + email)["email"] == "x" + email
    assert here.json("user", "create", "y" + email, "--admin")["is_admin"] is True


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["token", "create", "--duration", "soon"], 2, "--duration"),
        (["token", "create", "--duration", "999999999w"], 2, "--duration"),
        (["token", "create", "--duration", "0s"], 2, "duration"),
        (["token", "create", "--actions", "fly"], 2, "actions"),
        (["token", "create", "--priority", "99"], 5, "priority"),
        (["token", "create", "--priority", "high"], 2, "priority"),
        (["token", "create", "--user", ID], 4, "no such account"),
        (["token", "show", ID], 4, "no such token"),
        (["token", "show", "jp_job_AAAA"], 2, "integer"),
        (["token", "update", "1"], 2, "Say what to change"),
        (["token", "update", ID, "--label", "x"], 4, "no such token"),
        (["token", "revoke"], 2, "There is no token"),
        (["token", "revoke", ID], 4, "no such token"),
        (["token", "revoke", "jp_job_AAAA"], 2, "integer"),
        (["token", "revoke", "--file", "absent"], 2, "absent"),
        (["token", "revoke", "1", "--file", "-"], 2, "not both"),
        (["token", "reopen", ID], 4, "no such token"),
        (["token", "delete", ID], 4, "no such token"),
        (["token", "usage"], 2, "ids"),
        (["token", "usage", "1", "--since", "yesterday"], 2, "--since"),
        (["token", "list", "--limit", "0"], 2, "--limit"),
        (["apikey", "create", "--platforms", "sim:unknown"], 2, "platform"),
        (["apikey", "create", "--duration", "soon"], 2, "--duration"),
        (["apikey", "show", ID], 4, "no such API key"),
        (["apikey", "show", "jp_key_AAAA"], 2, "integer"),
        (["apikey", "delete", ID], 4, "no such API key"),
        (["platform", "create", "nonsense"], 2, "name"),
        (["platform", "create", "sim:x", "--status", "gone"], 2, "--status"),
        (["platform", "create", "sim:x", "--constraints", "[]"], 2, "--constraints"),
        (["platform", "create", "sim:x", "--maintenance-until", "2h"], 2, "--maintenance-from"),
        (["platform", "create", "sim:x", "--max-shots", "0"], 2, "max_shots"),
        (["platform", "show", "sim:unknown"], 4, "no such platform"),
        (["platform", "update", "sim:unknown"], 2, "Say what to change"),
        (["platform", "update", "sim:unknown", "--status", "available"], 4, "no such platform"),
        (["platform", "update", "sim:x", "--max-shots", "1", "--no-max-shots"], 2, "--no-max-shots"),
        (["platform", "retire", "sim:unknown", "--yes"], 4, "no such platform"),
        (["user", "create", "a@b.example", "--role", "author", "--admin"], 2, "contradict"),
        (["user", "create", "a@b.example", "--platforms", "sim:unknown"], 4, "sim:unknown"),
        (["user", "update", "operator@localhost"], 2, "Say what to change"),
        (["user", "update", "operator@localhost", "--no-admin"], 5, "own account"),
        (["user", "update", "1", "--priority", "5000"], 2, "priority"),
        (["user", "update", "1", "--company", "1", "--no-company"], 2, "contradict"),
        (["user", "update", "1", "--all-platforms", "--platforms", "sim:a"], 2, "contradict"),
        (["contain", "jp_job_AAAA"], 2, "argument"),
        (["contain"], 2, "There is no token"),
        (["contain", "--file", "absent"], 2, "absent"),
        (["contain", "--dry-run", "--yes"], 2, "--dry-run"),
    ],
)
@pytest.mark.usefixtures("logged_in")
def test_a_wrong_call_is_one_line_and_a_code(here: Any, arguments: list[str], code: int, said: str) -> None:
    done = here(*arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert "AAAA" not in done.stderr


def test_errors_are_json_when_asked(logged_in: Any, here: Any) -> None:
    done = here("token", "show", ID, "--json")
    assert (done.returncode, done.stdout) == (4, "")
    assert '"code": "unknown_credential"' in done.stderr


def test_what_was_done_with_a_token(logged_in: Any, here: Any, installation: Any, platform: str) -> None:
    made = here.json("token", "create", "--label", name())
    with jobpass.Client(installation.url, made["token"]) as client:
        for _ in range(2):
            client.submit(platform, {"command": "probs", "max_shots": 1})
    told = here.json("token", "usage", made["token_id"])["usage"]
    unit = {"platform_name": platform, "nb_jobs": 2, "duration_seconds": 0, "credits": 0.0, "free_credits": 0.0}
    assert told == [{"token_id": made["token_id"], "total_jobs": 2, "usage": [unit]}]
    assert platform in here.good("token", "usage", made["token_id"])
    later = here.json("token", "usage", made["token_id"], "--since", "2999-01-01T00:00:00Z")["usage"]
    assert later[0]["total_jobs"] == 0
    assert here("token", "usage", ID).returncode == 4
