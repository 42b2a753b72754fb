"""No ``repr``, pickle, copy or message has a secret."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from typing import Any

import pytest

from jobpass import errors
from steps.api.cloud_objects.cloud_base import TokenType
from steps.api.cloud_objects.cloud_platform import Platform
from steps.api.cloud_objects.cloud_token import ApiKey, JobToken, LoginToken
from steps.api.cloud_objects.cloud_user import User
from steps.api.utils import CloudContext
from support.cloud import Cloud
from support.site import PASSWORD


@pytest.fixture(scope="module")
def admin(cloud: Cloud) -> User:
    """The operator, with one credential of each kind."""
    admin = cloud.admin()
    JobToken().create(cloud.context, admin)
    ApiKey().create(cloud.context, admin)
    return admin


def holders(admin: User) -> list[Any]:
    return [admin, admin.login_token, *admin.job_tokens, admin.api_key, admin.generate_data()]


def test_what_is_shown_has_no_secret(admin: User, cloud: Cloud) -> None:
    secrets = [PASSWORD, *(str(admin.get_token(kind)) for kind in TokenType)]
    api = JobToken.get_api(cloud.context)
    for one in [*holders(admin), holders(admin), cloud.context, api, vars(admin)["job_tokens"]]:
        for shown in (repr(one), str(one), f"{one}"):
            assert not [secret for secret in secrets if secret in shown]
    for one in holders(admin):
        assert "…" in repr(one)


def test_what_has_no_secret_shows_none() -> None:
    assert repr(JobToken("a", 5, 1, 2)) == "JobToken(label='a', duration=5, token_id=1, user_id=2, token='')"
    assert repr(LoginToken()) == "LoginToken(token=None)"
    assert repr(Platform("sim:a")).startswith("Platform(name='sim:a'")
    assert "password=''" in repr(User("Ann"))


def test_additional_attributes_are_not_shown() -> None:
    assert "shown nowhere" not in repr(JobToken("a", remark="shown nowhere"))


def test_what_holds_a_secret_is_not_pickled(admin: User) -> None:
    for one in holders(admin):
        for do in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match=r"not pickled or copied"):
                do(one)
    nested = User("Ann")  # without a password of its own
    nested.job_tokens = list(admin.job_tokens)
    with pytest.raises(TypeError, match=r"JobToken holds a secret \(token\)"):
        pickle.dumps(nested)


def test_a_password_that_was_changed_is_still_held() -> None:
    user = User("Ann", password=PASSWORD)
    user.logged_in(LoginToken(), 1, False)
    user.password = ""
    with pytest.raises(TypeError, match="holds a secret"):
        pickle.dumps(user)
    assert PASSWORD not in repr(user)


def test_what_holds_none_is_pickled() -> None:
    token = pickle.loads(pickle.dumps(JobToken("a", 5, 1, 2, priority=3)))
    assert (token.label, token.priority, token.token) == ("a", 3, "")
    assert vars(copy.copy(ApiKey("k"))) == vars(ApiKey("k"))
    assert pickle.loads(pickle.dumps(User("Ann"))).first_name == "Ann"


def test_a_context_is_pickled_with_its_options() -> None:
    with CloudContext("http://example.org/", allow_plain_http=True) as context:
        with pickle.loads(pickle.dumps(context)) as other:
            assert other.url == context.url == "http://example.org"
        assert repr(context) == "CloudContext('http://example.org')"
    with pytest.raises(errors.InvalidInput, match="https"):
        CloudContext("http://example.org")


def test_the_data_of_a_user_are_whole_and_hidden() -> None:
    data = User("Ann", password=PASSWORD).generate_data()
    assert json.loads(json.dumps(data))["password"] == dict(data)["password"] == PASSWORD
    assert PASSWORD not in repr(data)


def test_messages_have_no_secret(admin: User, cloud: Cloud) -> None:
    user = cloud.user()
    JobToken(label="one").create(cloud.context, user)
    texts = [PASSWORD, str(user.get_token(TokenType.Login)), str(user.get_token(TokenType.Job))]
    text = str(user.get_token(TokenType.Job))
    broken = User(is_admin=True)
    broken.login_token = LoginToken()
    broken.login_token.token = f"{text}é"  # what no header can carry
    user.is_admin = True
    attempts = [
        lambda: JobToken(label=text).create(cloud.context, user),
        lambda: JobToken(label="one").create(cloud.context, user),
        lambda: User(email=text, password=PASSWORD).create(cloud.context, admin),
        lambda: User(email="a@example.org", password=PASSWORD).create(cloud.context, user),
        lambda: JobToken().create(cloud.context, broken),
        lambda: Platform(text).read(cloud.context, user),
        lambda: ApiKey().create(cloud.context, broken),
    ]
    failed = []
    for attempt in attempts:
        try:
            attempt()
        except RuntimeError as error:
            failed.append(error)
    assert len(failed) == len(attempts)
    for error in failed:
        shown = "".join(traceback.format_exception(error)) + repr(error.__cause__) + str(vars(error.__cause__))
        assert not [one for one in texts if one in shown], error
