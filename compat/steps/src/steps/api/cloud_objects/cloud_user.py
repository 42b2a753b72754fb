"""Users, and the credentials that they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from steps.api.cloud_objects.cloud_base import NEW, ACloudObject, TokenType, members, need_admin, require
from steps.api.secrecy import Body
from steps.api.utils import CloudContext

if TYPE_CHECKING:
    from steps.api.cloud_objects.cloud_token import ApiKey, JobToken, LoginToken

_PROFILE: Final = (
    "first_name",
    "last_name",
    "email",
    "platform_ids",
    "is_admin",
    "priority",
    "company_id",
    "active",
    "max_jobs_in_queue",
    "max_concurrent_jobs",
)


class User(ACloudObject):
    """A user, with the tokens that were made for it here; its password is never read back."""

    _fields = ("user_id", *_PROFILE, "password")
    _secrets = ("password", "_present")

    def __init__(
        self,
        first_name: str = "",
        last_name: str = "",
        email: str = "",
        password: str = "",
        platform_ids: list[str] | None = None,
        is_admin: bool = False,
        priority: int = 2,
        company_id: int | None = None,
        active: bool = True,
        max_jobs_in_queue: int = 50,
        max_concurrent_jobs: int = 5,
        user_id: int = NEW,
    ) -> None:
        """``platform_ids`` None: all platforms. ``priority`` is the highest that its tokens may have."""
        self.first_name = first_name
        self.last_name = last_name
        self.email = email
        self.password = password
        self.platform_ids = platform_ids
        self.is_admin = is_admin
        self.priority = priority
        self.company_id = company_id
        self.active = active
        self.max_jobs_in_queue = max_jobs_in_queue
        self.max_concurrent_jobs = max_concurrent_jobs
        self.user_id = user_id
        self.login_token: LoginToken | None = None
        self.job_tokens: list[JobToken] = []
        self.api_key: ApiKey | None = None
        self._present = ""  # the password that the server has, as far as it is known here

    @classmethod
    def get_object_name(cls) -> str:
        """As ``ACloudObject``."""
        return "user"

    @classmethod
    def get_endpoint(cls) -> str:
        """As ``ACloudObject``."""
        return "/api/users"

    def get_token(self, token_type: TokenType) -> str | None:
        """The text of a credential of this kind, None if the user has none; of job tokens that of the newest."""
        kind = TokenType(token_type)
        if kind is TokenType.Login:
            text = None if self.login_token is None else self.login_token.token
        elif kind is TokenType.Job:
            text = next((one.token for one in reversed(self.job_tokens) if one.token), None)
        else:
            text = None if self.api_key is None else self.api_key.token
        return text or None

    def generate_data(self) -> dict[str, Any]:
        """The members of the request that makes this user, with the password, which their ``repr`` hides."""
        return Body({name: getattr(self, name) for name in _PROFILE} | {"password": self.password})

    def create(self, context: CloudContext, admin: User) -> None:
        """Make this user. ``AssertionError`` if ``admin`` is not an admin, ``RuntimeError`` if it fails."""
        with self.get_api(context).calling("making", need_admin(admin)) as client:
            answer = client.create_user(password=self.password, **self._profile())
        self._take(members(answer))
        self._present = self.password

    def read(self, context: CloudContext, admin: User) -> dict[str, Any]:
        """What the server knows of this user, as its answer has it; the attributes follow it."""
        with self.get_api(context).calling("reading", self._need_made(admin)) as client:
            answer = members(client.user(self.user_id))
        self._take(answer)
        return answer

    def update(self, context: CloudContext, admin: User) -> None:
        """Have the server keep what the attributes say, and the password if it is another than was last used here.

        Another password ends the user's log-ins.
        """
        with self.get_api(context).calling("updating", self._need_made(admin)) as client:
            self._take(members(client.update_user(self.user_id, **self._profile())))
            if self.password and self.password != self._present:
                own = self._present if admin.user_id == self.user_id else None
                client.set_password(self.user_id, self.password, own)
                self._present, self.login_token = self.password, None

    def delete(self, context: CloudContext, admin: User) -> None:
        """Disable this user, which ends all its tokens for good. The account stays, with what it did in the record."""
        with self.get_api(context).calling("deleting", self._need_made(admin)) as client:
            self._take(members(client.disable_user(self.user_id)))
        self.login_token, self.job_tokens, self.api_key = None, [], None

    @classmethod
    def list_all(cls, context: CloudContext, admin: User) -> list[User]:
        """All users in the cloud, also those that are disabled."""
        with cls.get_api(context).calling("listing", need_admin(admin)) as client:
            return [cls._listed(members(one)) for one in client.iter_users()]

    def logged_in(self, token: LoginToken, user_id: int, is_admin: bool) -> None:
        """Take over what a log-in of this user gave."""
        self.login_token, self.user_id, self.is_admin = token, user_id, is_admin
        self._present = self.password

    @classmethod
    def _listed(cls, told: dict[str, Any]) -> Self:
        user = cls()
        user._take(told)
        return user

    def _profile(self) -> dict[str, Any]:
        profile = {name: getattr(self, name) for name in _PROFILE if name != "is_admin"}
        return profile | {"role": "operator" if self.is_admin else "author"}

    def _take(self, told: dict[str, Any]) -> None:
        for name in _PROFILE:
            setattr(self, name, told[name])
        self.user_id = told["id"]

    def _need_made(self, admin: User) -> str:
        bearer = need_admin(admin)
        require(self.user_id != NEW, "This user was not made.")
        return bearer
