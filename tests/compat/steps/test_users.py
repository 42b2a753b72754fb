"""Users and platforms, against a server process."""

from __future__ import annotations

from itertools import count

import httpx2
import pytest

from jobpass import errors
from steps.api.cloud_objects.cloud_base import TokenType
from steps.api.cloud_objects.cloud_platform import Platform
from steps.api.cloud_objects.cloud_token import ApiKey, JobToken, LoginToken
from steps.api.cloud_objects.cloud_user import User
from support.cloud import Cloud
from support.site import PASSWORD

OTHER_PASSWORD = "another way over the hills"
_numbers = count()


def name() -> str:
    return f"sim:test{next(_numbers)}"


def test_a_user_is_made_read_changed_and_listed(cloud: Cloud) -> None:
    admin = cloud.admin()
    user = User("Eve", "Adams", "eve@example.org", PASSWORD, company_id=7, max_jobs_in_queue=3, max_concurrent_jobs=1)
    user.create(cloud.context, admin)
    assert user.user_id > 0
    told = user.read(cloud.context, admin)
    sent = user.generate_data()
    assert sent.pop("password") == PASSWORD
    assert {member: told[member] for member in sent} == sent
    user.first_name, user.priority, user.max_concurrent_jobs = "Eva", 4, 2
    user.update(cloud.context, admin)
    again = User(user_id=user.user_id)
    again.read(cloud.context, admin)
    assert (again.first_name, again.email, again.priority, again.max_concurrent_jobs) == (
        "Eva",
        "eve@example.org",
        4,
        2,
    )
    listed = {one.user_id: one for one in User.list_all(cloud.context, admin)}
    assert listed[user.user_id].email == "eve@example.org"
    assert listed[user.user_id].password == ""
    assert listed[admin.user_id].is_admin


def test_the_data_are_what_the_server_takes(cloud: Cloud) -> None:
    data = User("Max", "Mayer", "max@example.org", PASSWORD, platform_ids=[], active=False).generate_data()
    headers = {"authorization": f"Bearer {cloud.admin().get_token(TokenType.Login)}"}
    answer = httpx2.post(f"{cloud.context.url}/api/users", json=data, headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert {member: answer.json()[member] for member in data if member != "password"} == {
        member: value for member, value in data.items() if member != "password"
    }


def test_an_admin_makes_admins(cloud: Cloud) -> None:
    other = cloud.user(is_admin=True)
    assert other.is_admin
    LoginToken().create(cloud.context, other)
    assert other.is_admin
    assert User.list_all(cloud.context, other)
    other.is_admin = False
    other.update(cloud.context, cloud.admin())
    with pytest.raises(AssertionError):
        User.list_all(cloud.context, other)
    other.is_admin = True
    with pytest.raises(RuntimeError):
        User.list_all(cloud.context, other)


def test_only_an_admin_has_to_do_with_users(cloud: Cloud) -> None:
    user, admin = cloud.user(), cloud.admin()
    for do in (User().create, user.read, user.update, user.delete):
        with pytest.raises(AssertionError, match="administrator"):
            do(cloud.context, user)
    user.is_admin = True
    for do in (User(email="x@example.org", password=PASSWORD).create, user.read, user.update, user.delete):
        with pytest.raises(RuntimeError) as failed:
            do(cloud.context, user)
        assert isinstance(failed.value.__cause__, errors.Denied)
    for do in (User().read, User().update, User().delete):
        with pytest.raises(AssertionError, match="was not made"):
            do(cloud.context, admin)
    with pytest.raises(RuntimeError) as failed:
        User(user_id=10**9).read(cloud.context, admin)
    assert isinstance(failed.value.__cause__, errors.UnknownPrincipal)


def test_what_cannot_be_an_account_is_told(cloud: Cloud) -> None:
    admin = cloud.admin()
    for wrong, said in (
        (User(email="no address", password=PASSWORD), "email"),
        (User(email="weak@example.org", password="short"), "password"),
        (User("a" * 101, email="long@example.org", password=PASSWORD), "first_name"),
        (User(email="rex@example.org", password=PASSWORD), "address"),
    ):
        with pytest.raises(RuntimeError, match=said) as failed:
            wrong.create(cloud.context, admin)
        assert wrong.password not in str(failed.value)
        assert wrong.user_id == -1


def test_get_token_tells_each_kind(cloud: Cloud) -> None:
    user = User()
    assert [user.get_token(kind) for kind in TokenType] == [None, None, None]
    admin = cloud.admin()
    JobToken().create(cloud.context, admin)
    ApiKey().create(cloud.context, admin)
    assert [str(admin.get_token(kind))[:7] for kind in TokenType] == ["jp_log_", "jp_job_", "jp_key_"]
    assert admin.get_token(TokenType(1)) == admin.job_tokens[0].token
    with pytest.raises(ValueError, match="3"):
        admin.get_token(3)  # type: ignore[arg-type]


def test_deleting_a_user_disables_it_and_ends_its_tokens(cloud: Cloud) -> None:
    user, admin = cloud.user(), cloud.admin()
    token = JobToken()
    token.create(cloud.context, user)
    texts = [user.get_token(TokenType.Login), token.token]
    user.delete(cloud.context, admin)
    assert (user.active, user.job_tokens, user.get_token(TokenType.Login)) == (False, [], None)
    assert not user.read(cloud.context, admin)["active"]
    with pytest.raises(RuntimeError):
        LoginToken().create(cloud.context, user)
    user.active = True
    user.update(cloud.context, admin)
    cloud.login(user)
    for text in texts:
        with pytest.raises(errors.InvalidToken):
            cloud.context.client(text).me()


def test_a_new_password_ends_log_ins(cloud: Cloud) -> None:
    user, admin = cloud.user(), cloud.admin()
    user.update(cloud.context, admin)
    old = user.get_token(TokenType.Login)
    assert cloud.context.client(old).me().user_id == user.user_id
    user.password = OTHER_PASSWORD
    user.update(cloud.context, admin)
    assert user.login_token is None
    with pytest.raises(errors.InvalidToken):
        cloud.context.client(old).me()
    cloud.login(user)


def test_an_admin_changes_its_own_password(cloud: Cloud) -> None:
    admin = cloud.user(is_admin=True)
    admin.password = OTHER_PASSWORD
    admin.update(cloud.context, admin)
    assert admin.login_token is None
    cloud.login(admin)


def test_a_platform_is_made_read_changed_listed_and_retired(cloud: Cloud) -> None:
    admin, user = cloud.admin(), cloud.user()
    platform = Platform(name(), "One", max_shots=100, constraints={"max_mode_count": 4})
    platform.create(cloud.context, admin)
    assert platform.platform_id
    seen = Platform(platform.name)
    told = seen.read(cloud.context, user)
    assert (told["name"], told["max_shots"], seen.specs["constraints"]) == (platform.name, 100, {"max_mode_count": 4})
    platform.status, platform.max_shots, platform.max_duration = "maintenance", None, 60
    platform.update(cloud.context, admin)
    seen.read(cloud.context, user)
    assert (seen.status, seen.max_shots, seen.max_duration) == ("maintenance", None, 60)
    assert platform.name in [one.name for one in Platform.list_all(cloud.context, user)]
    JobToken().create(cloud.context, user)
    user.login_token = None
    assert platform.name in [one.name for one in Platform.list_all(cloud.context, user)]
    platform.delete(cloud.context, admin)
    assert platform.retired_date
    assert platform.name not in [one.name for one in Platform.list_all(cloud.context, user)]
    assert platform.name in [one.name for one in Platform.list_all(cloud.context, admin)]


def test_a_user_sees_the_platforms_that_it_may_use(cloud: Cloud) -> None:
    admin = cloud.admin()
    one, other = Platform(name()), Platform(name())
    for platform in (one, other):
        platform.create(cloud.context, admin)
    user = cloud.user(platform_ids=[one.platform_id])
    assert [platform.name for platform in Platform.list_all(cloud.context, user)] == [one.name]
    with pytest.raises(RuntimeError) as failed:
        Platform(other.name).read(cloud.context, user)
    assert isinstance(failed.value.__cause__, errors.UnknownPlatform)


def test_platforms_are_an_admins_to_keep(cloud: Cloud) -> None:
    admin, user = cloud.admin(), cloud.user()
    platform = Platform(name())
    for do in (platform.update, platform.delete):
        with pytest.raises(AssertionError, match="neither made nor read"):
            do(cloud.context, admin)
    platform.create(cloud.context, admin)
    for do in (platform.create, platform.update, platform.delete):
        with pytest.raises(AssertionError, match="administrator"):
            do(cloud.context, user)
    user.is_admin = True
    for do in (Platform(name()).create, platform.update, platform.delete):
        with pytest.raises(RuntimeError) as failed:
            do(cloud.context, user)
        assert isinstance(failed.value.__cause__, errors.Denied)
    with pytest.raises(AssertionError, match="no name"):
        Platform().read(cloud.context, user)
    with pytest.raises(AssertionError, match="login token or job token"):
        Platform.list_all(cloud.context, User())
    with pytest.raises(RuntimeError, match="name"):
        Platform("no name").create(cloud.context, admin)
