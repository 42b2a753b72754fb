"""Job tokens, login tokens and API keys, against a server process."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import count

import pytest

from jobpass import errors
from steps.api.cloud_objects.cloud_base import TokenType
from steps.api.cloud_objects.cloud_token import ApiKey, JobToken, LoginToken
from steps.api.cloud_objects.cloud_user import User
from steps.api.utils import CloudContext
from support.cloud import Cloud
from support.site import PASSWORD

_numbers = count()


def label() -> str:
    return f"label {next(_numbers)}"


def made(cloud: Cloud, user: User, **given: object) -> JobToken:
    token = JobToken(**given)  # type: ignore[arg-type]
    token.create(cloud.context, user)
    return token


def test_the_order_of_use_of_the_page(cloud: Cloud) -> None:
    user, admin = cloud.user(), cloud.admin()
    token = made(cloud, user, label="mine")
    assert token.token.startswith("jp_job_")
    assert (token.token_id > 0, token.user_id, token.duration) == (True, user.user_id, 99999)
    assert user.job_tokens == [token]
    assert cloud.context.client(token.token).me().user_id == user.user_id
    assert token.read(cloud.context, user)["label"] == "mine"
    assert token.token_id in [one.token_id for one in JobToken.list_all(cloud.context, admin)]
    text, number = token.token, token.token_id
    token.delete(cloud.context, user)
    assert (token.token, token.token_id, user.job_tokens) == ("", -1, [])
    assert number not in [one.token_id for one in JobToken.list_all(cloud.context, admin)]
    with pytest.raises(errors.InvalidToken):
        cloud.context.client(text).me()


def test_a_new_token_has_the_defaults() -> None:
    token, key = JobToken(), ApiKey()
    assert vars(token) == {"label": None, "duration": 99999, "token_id": -1, "user_id": -1, "token": ""}
    assert vars(key) == {"label": None, "duration": 99999, "api_key": "", "api_key_id": -1}
    assert LoginToken().token is None
    assert vars(ApiKey("a", 5, anything="else")) == {"label": "a", "duration": 5, "api_key": "", "api_key_id": -1}


def test_additional_attributes_are_set_and_cover_nothing() -> None:
    assert JobToken("a", priority=1, colour="blue").colour == "blue"  # type: ignore[attr-defined]
    for name in ("create", "_secrets", "DURATION_KEY", "__class__"):
        with pytest.raises(TypeError, match="no additional attribute"):
            JobToken("a", **{name: "x"})


def test_a_text_is_shown_once(cloud: Cloud) -> None:
    user = cloud.user()
    token = made(cloud, user)
    told = token.read(cloud.context, user)["token"]
    assert token.token.startswith(told.removesuffix("…"))
    assert told != token.token
    listed = {one.token_id: one for one in JobToken.list_all(cloud.context, cloud.admin())}[token.token_id]
    assert listed.token == ""
    assert listed.user_id == user.user_id
    assert token.token not in str(vars(listed))


def test_labels_are_numbered_and_unique(cloud: Cloud) -> None:
    user, other = cloud.user(), cloud.user()
    first, second = made(cloud, user), made(cloud, user)
    assert (first.label, second.label != first.label) == ("unknown", True)
    assert second.label is not None
    assert second.label.startswith("unknown")
    with pytest.raises(RuntimeError, match="label") as failed:
        made(cloud, user, label="unknown")
    assert isinstance(failed.value.__cause__, errors.AlreadyExists)
    assert made(cloud, other, label="unknown").label == "unknown"


def test_durations_have_bounds(cloud: Cloud) -> None:
    user = cloud.user()
    for duration in (0, -1, 10**10):
        with pytest.raises(RuntimeError, match="duration"):
            made(cloud, user, duration=duration)
    assert made(cloud, user, duration=1).duration == 1
    assert user.job_tokens[0].duration == 1


def test_limits_go_into_the_making(cloud: Cloud) -> None:
    user = cloud.user()
    token = made(cloud, user, priority=1, actions=["tokens.read"], may_mint=False)
    told = token.read(cloud.context, user)
    assert (told["priority"], told["actions"], told["may_mint"]) == (1, ["tokens.read"], False)
    with pytest.raises(RuntimeError, match="priority"):
        made(cloud, user, priority=3)


def test_reading_gives_the_answer(cloud: Cloud) -> None:
    user = cloud.user()
    token = made(cloud, user, label="before", duration=600)
    cloud.context.client(user.get_token(TokenType.Login)).update_token(token.token_id, label="after")
    told = token.read(cloud.context, user)
    assert isinstance(told, dict)
    assert (told["id"], told["label"], told["email"]) == (token.token_id, "after", user.email)
    assert (told["valid"], told["state"], told["created_date"][-1]) == (True, "active", "Z")
    assert (token.label, token.duration) == ("after", 600)


def test_an_expired_token_opens_nothing(cloud: Cloud) -> None:
    user = cloud.user()
    short = made(cloud, user, duration=1)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            short.read(cloud.context, user)
        except RuntimeError as error:
            failed = error
            break
        time.sleep(0.1)
    assert isinstance(failed.__cause__, errors.InvalidToken)
    made(cloud, user)
    assert short.read(cloud.context, user)["state"] == "expired"
    listed = {one.token_id: one for one in JobToken.list_all(cloud.context, cloud.admin())}
    assert listed[short.token_id].state == "expired"  # type: ignore[attr-defined]
    short.delete(cloud.context, user)


def test_of_several_job_tokens_the_newest_is_used(cloud: Cloud) -> None:
    user = cloud.user()
    first, second = made(cloud, user), made(cloud, user)
    assert user.get_token(TokenType.Job) == second.token
    second.delete(cloud.context, user)
    assert user.get_token(TokenType.Job) == first.token


def test_without_a_login_token_nothing_is_made(cloud: Cloud) -> None:
    user = User(email="nobody@example.org", password=PASSWORD)
    token = JobToken(label="a")
    for someone in (user, cloud.login(cloud.user())):
        someone.login_token = None
        with pytest.raises(AssertionError, match="login token"):
            token.create(cloud.context, someone)
        assert (token.token, token.token_id, someone.job_tokens) == ("", -1, [])


def test_reading_needs_a_job_token_and_one_that_was_made(cloud: Cloud) -> None:
    user = cloud.user()
    with pytest.raises(AssertionError, match="job token"):
        JobToken(token_id=1).read(cloud.context, user)
    made(cloud, user)
    for do in (JobToken().read, JobToken().delete):
        with pytest.raises(AssertionError, match="was not made"):
            do(cloud.context, user)


def test_tokens_of_others_are_not_there(cloud: Cloud) -> None:
    ann, bob = cloud.user(), cloud.user()
    token = made(cloud, ann)
    made(cloud, bob)
    same = JobToken(token_id=token.token_id)
    for do in (same.read, same.delete):
        with pytest.raises(RuntimeError) as failed:
            do(cloud.context, bob)
        assert isinstance(failed.value.__cause__, errors.NotFound)
    assert same.token_id == token.token_id
    assert token.read(cloud.context, ann)["state"] == "active"
    same.delete(cloud.context, cloud.admin())
    with pytest.raises(RuntimeError):
        token.read(cloud.context, ann)


def test_a_token_deletes_itself_without_a_log_in(cloud: Cloud) -> None:
    user = cloud.user()
    token, other = made(cloud, user), made(cloud, user)
    user.login_token = None
    token.delete(cloud.context, user)
    assert user.job_tokens == [other]
    gone = JobToken(token_id=other.token_id)
    with pytest.raises(RuntimeError) as failed:
        gone.delete(cloud.context, user)
    assert isinstance(failed.value.__cause__, errors.InvalidToken)


def test_a_log_in_set_by_hand_is_enough(cloud: Cloud) -> None:
    known = cloud.user()
    user = User()
    user.login_token = LoginToken()
    user.login_token.token = known.get_token(TokenType.Login)
    token = made(cloud, user)
    assert token.user_id == user.user_id == known.user_id


def test_list_all_is_everybodys_over_pages(cloud: Cloud) -> None:
    ann, bob, admin = cloud.user(), cloud.user(), cloud.admin()
    numbers = {made(cloud, user).token_id for user in (ann, bob) for _ in range(3)}
    revoked = made(cloud, ann)
    cloud.context.client(ann.get_token(TokenType.Login)).revoke_token(revoked.token_id)
    found = {one.token_id: one for one in JobToken.list_all(cloud.context, admin)}
    assert numbers | {revoked.token_id} <= found.keys()
    assert {found[number].user_id for number in numbers} == {ann.user_id, bob.user_id}
    assert {found[number].state for number in numbers} == {"active"}  # type: ignore[attr-defined]
    assert found[revoked.token_id].state == "revoked"  # type: ignore[attr-defined]
    assert {type(one) for one in found.values()} == {JobToken}


def test_who_only_claims_to_be_an_admin_lists_nothing(cloud: Cloud) -> None:
    user = cloud.user()
    made(cloud, user)
    for claim in (False, True):
        user.is_admin = claim
        with pytest.raises(AssertionError, match="administrator"):
            JobToken.list_all(cloud.context, user)
    with pytest.raises(AssertionError, match="login token"):
        JobToken.list_all(cloud.context, User(is_admin=True))


def test_a_failed_log_in_changes_nothing_and_tells_nothing(cloud: Cloud) -> None:
    user = cloud.user()
    before = user.get_token(TokenType.Login)
    user.password = "something else altogether"
    with pytest.raises(RuntimeError) as failed:
        LoginToken().create(cloud.context, user)
    assert isinstance(failed.value.__cause__, errors.LoginFailed)
    assert user.password not in str(failed.value)
    assert user.get_token(TokenType.Login) == before
    with pytest.raises(RuntimeError, match="no user"):
        LoginToken().create(cloud.context)


def test_a_server_that_is_not_there_is_a_runtime_error() -> None:
    with CloudContext("http://127.0.0.1:9", timeout_seconds=0.5) as context, pytest.raises(RuntimeError) as failed:
        LoginToken().create(context, User(email="a@example.org", password=PASSWORD))
    assert isinstance(failed.value.__cause__, errors.ServerUnavailable)


def test_an_api_key_is_made_read_listed_and_deleted(cloud: Cloud) -> None:
    admin, name = cloud.admin(), label()
    key = ApiKey(label=name, duration=600)
    key.create(cloud.context, admin)
    assert key.token == key.api_key == admin.get_token(TokenType.API_Key)
    assert (key.token[:7], key.api_key_id > 0) == ("jp_key_", True)
    told = key.read(cloud.context, admin)
    assert (told["label"], told["duration"], told["state"]) == (name, 600, "active")
    assert told["key"] != key.api_key
    listed = {one.api_key_id: one for one in ApiKey.list_all(cloud.context, admin)}[key.api_key_id]
    assert (listed.label, listed.duration, listed.api_key) == (name, 600, "")
    for ask in ("me", "create_token", "platforms"):
        with pytest.raises(errors.InvalidToken):
            getattr(cloud.context.client(key.token), ask)()
    key.delete(cloud.context, admin)
    assert (key.token, key.api_key_id, admin.api_key) == ("", -1, None)
    assert name not in [one.label for one in ApiKey.list_all(cloud.context, admin)]


def test_api_keys_are_an_admins_business(cloud: Cloud) -> None:
    user, admin = cloud.user(), cloud.admin()
    key = ApiKey(label=label())
    for someone in (None, user, User(is_admin=True)):
        with pytest.raises(AssertionError):
            key.create(cloud.context, someone)
    user.is_admin = True  # as it says
    with pytest.raises(RuntimeError) as failed:
        key.create(cloud.context, user)
    assert isinstance(failed.value.__cause__, errors.Denied)
    assert (key.api_key, key.api_key_id, user.api_key) == ("", -1, None)
    for do in (key.read, key.delete):
        with pytest.raises(AssertionError, match="was not made"):
            do(cloud.context, admin)
    with pytest.raises(RuntimeError):
        ApiKey(api_key_id=10**6).read(cloud.context, admin)
    with pytest.raises(RuntimeError):
        ApiKey.list_all(cloud.context, user)


def test_assertions_hold_under_optimisation() -> None:
    script = (
        "from steps.api.utils import CloudContext\n"
        "from steps.api.cloud_objects.cloud_token import JobToken\n"
        "from steps.api.cloud_objects.cloud_user import User\n"
        "try:\n    JobToken().create(CloudContext('http://127.0.0.1:9'), User())\n"
        "except AssertionError as error:\n    print(__debug__, error)\n"
    )
    done = subprocess.run([sys.executable, "-O", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("False This needs a user with a login token.\n", "")
