"""People: make an account, change it, log in, log out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from jobpass.authority.issuing import Issued, Issuing
from jobpass.authority.passwords import UNUSABLE
from jobpass.authority.profiles import check_profile, read_address
from jobpass.authority.standing import admitting, anew, expect_whole, principal_of, session_of
from jobpass.errors import AlreadyExists, Conflict, LoginFailed, RevokedToken, UnknownPrincipal
from jobpass.ports import Ends
from jobpass.records import Credential, Login, Page, Principal, Profile, Renewal, Role, Session

if TYPE_CHECKING:
    from jobpass.authority.audit import Audit
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.gate import Gate
    from jobpass.authority.passwords import Passwords
    from jobpass.authority.throttle import Throttle
    from jobpass.clock import Clock
    from jobpass.ports import AccountStore, Placement

Ended = list[Credential]  # named here: in ``Accounts``, ``list`` is a method

Abandon = Callable[[int], Awaitable[int]]
"""Cancels the compute jobs of a principal that wait; how many were."""
Withdraw = Callable[["Bearer", int, datetime], Awaitable[None]]
"""Ends what a principal has asked for of admin keys and not collected."""

LOGIN_SECONDS = 12 * 3600
"""How long a login token lives: a working day, after NIST SP 800-63B-4 §2.1.3 (at most 30 days, as AAL1)."""
ALL_TOKENS = ("login", "job", "admin", "apikey")
"""Kinds of credential that end for good when their owner is disabled, or is an operator no more."""
LOOK_EVERY = timedelta(seconds=10)
"""How often it is looked whether jobs of somebody disabled wait; that looks at every account."""
LOOKED_AT = 100
"""People whose jobs are canceled in one such look."""
WRONG = "Unknown address or wrong password."


class UserChanges(Struct, frozen=True):
    """What somebody wants changed of an account; what is not given stays. ``profile`` holds fields of ``Profile``."""

    email: str | None = None
    role: Role | None = None
    active: bool | None = None
    profile: dict[str, Any] = {}


class Accounts:
    """Principals and their login tokens."""

    def __init__(
        self,
        store: AccountStore,
        gate: Gate,
        passwords: Passwords,
        throttle: Throttle,
        issuing: Issuing,
        audit: Audit,
        clock: Clock,
        abandon: Abandon,
        withdraw: Withdraw,
    ) -> None:
        self._store = store
        self._abandon = abandon
        self._withdraw = withdraw
        self._admit = admitting(gate, clock)
        self._issuing = issuing
        self._passwords = passwords
        self._audit = audit
        self._throttle = throttle
        self._clock = clock
        self._looked_at: datetime | None = None

    async def create(
        self,
        email: str,
        password: str,
        role: Role,
        bearer: Bearer | None = None,
        *,
        profile: Profile = Profile(),  # noqa: B008 - a frozen value
        active: bool = True,
    ) -> Principal:
        """A new account; ``InvalidInput`` for what cannot be, ``AlreadyExists`` if the address is taken.

        Without a bearer it is the installation itself that calls (``jobpass init``).
        """
        if bearer is not None:
            self._admit_manager(bearer)
        address = read_address(email)
        check_profile(profile)
        password_hash = await self._passwords.hash(password, [address])
        if bearer is not None:
            await self._admit_again(bearer, "users.manage")

        def note(made: Principal) -> Placement:
            return self._audit.placement("user.created", bearer=bearer, subject=str(made.id), email=address, role=role)

        at = self._clock.now()
        return await self._store.add_principal(address, role, password_hash, at, profile, active=active, note=note)

    async def ensure(self, email: str) -> Principal:
        """The account of this address; made, as an author without a usable password, if there is none.

        For the installation itself, as ``login_in_process``.
        """
        address = read_address(email)
        login = await self._store.find_login(address)
        if login is not None:
            return login.principal

        def note(made: Principal) -> Placement:
            return self._audit.placement(
                "user.created", subject=str(made.id), email=address, role=made.role, password=False
            )

        try:
            return await self._store.add_principal(address, "author", UNUSABLE, self._clock.now(), note=note)
        except AlreadyExists:  # another process made it meanwhile
            return await self.ensure(email)

    async def read(self, bearer: Bearer, principal_id: int) -> Principal:
        """One account, for an operator; ``UnknownPrincipal`` if there is none."""
        self._admit(bearer, "users.read")
        principal = await self._store.find_principal(principal_id)
        if principal is None:
            raise UnknownPrincipal("There is no such account.", id=principal_id)
        return principal

    async def list(self, bearer: Bearer, *, after: str | None, limit: int) -> Page[Principal]:
        """Accounts in order of creation, for an operator."""
        self._admit(bearer, "users.read")
        return await self._store.list_principals(after=after, limit=limit)

    async def set_active(self, bearer: Bearer, principal_id: int, active: bool) -> Principal:
        """Disable an account, which ends all its tokens for good and cancels its waiting jobs, or enable it again."""
        return await self.update(bearer, principal_id, UserChanges(active=active))

    async def update(self, bearer: Bearer, principal_id: int, changes: UserChanges) -> Principal:
        """Change an account, for an operator. Raises as ``create`` does.

        Whoever is disabled, or is an operator no more, has no token any more, and gets none of them back, nor an admin
        key that was not collected; compute jobs of somebody disabled that wait are canceled. ``Conflict`` for either on
        the account that asks: an installation keeps somebody who can enable.
        """
        at = self._admit_manager(bearer, whole=changes != UserChanges(active=False))
        address = None if changes.email is None else read_address(changes.email)

        def change(standing: Principal) -> Principal:
            profile = replace(standing.profile, **changes.profile)
            check_profile(profile)
            return Principal(
                standing.id,
                address or standing.email,
                changes.role or standing.role,
                standing.active if changes.active is None else changes.active,
                standing.created_at,
                profile,
            )

        if principal_id == principal_of(bearer).id and (changes.active is False or changes.role == "author"):
            raise Conflict("Nobody disables the own account, or makes it less.", id=principal_id)
        renewal = await self._store.change_principal(
            principal_id,
            change,
            ends=Ends(_kinds_ended, at),
            note=lambda done: self._audit.placement(
                _name_of(done.before, done.after),
                bearer=bearer,
                subject=str(principal_id),
                tokens_ended=done.ended,
                changed=_changed(done.before, done.after),
            ),
        )
        principal = renewal.after
        if _kinds_ended(renewal.before, principal):
            await self._withdraw(bearer, principal_id, at)
        if not principal.active:
            await self._cancel_waiting(principal_id, bearer)
        return principal

    async def tend(self) -> None:
        """A chore: cancel what waits of somebody disabled all the same, and would for ever.

        A job may be sent, or come back from a worker, in the moment in which its owner is disabled; and whoever
        disables somebody may be cut off before the jobs are canceled.
        """
        at = self._clock.now()
        if self._looked_at is not None and timedelta() <= at - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = at
        for principal_id in await self._store.disabled_with_waiting(LOOKED_AT):
            await self._cancel_waiting(principal_id)

    async def _cancel_waiting(self, principal_id: int, bearer: Bearer | None = None) -> None:
        if canceled := await self._abandon(principal_id):
            await self._audit.record("user.jobs_canceled", bearer=bearer, subject=str(principal_id), jobs=canceled)

    async def set_password(self, bearer: Bearer, principal_id: int, password: str, present: str | None) -> Principal:
        """A new password, which ends the account's login tokens.

        For the owner, who gives the ``present`` one, or for an operator; ``LoginFailed`` if the present one is wrong.
        """
        at = self._admit(bearer, "account.password")
        principal = principal_of(bearer)
        if principal.id == principal_id:
            await self._check_password(principal.email, present or "", bearer.address)
        else:
            self._admit_manager(bearer)
        target = await self._store.find_principal(principal_id)
        password_hash = await self._passwords.hash(password, [target.email] if target else [])
        await self._admit_again(bearer, "account.password")

        def note(done: Renewal) -> Placement:
            return self._audit.placement(
                "user.password", bearer=bearer, subject=str(principal_id), tokens_ended=done.ended
            )

        ends = Ends(lambda *_: ("login",), at)
        return (
            await self._store.change_principal(principal_id, lambda one: one, password_hash, ends=ends, note=note)
        ).after

    async def login(self, email: str, password: str, address: str | None = None) -> Issued:
        """A login token for the right password; ``LoginFailed`` after the same work for anything else.

        ``TooMany`` where too many failed before (see ``throttle``).
        """
        known = await self._check_password(email.strip().lower(), password, address)
        return await self._issue(known.principal, "login", "login", address, known)

    async def login_in_process(self, email: str) -> Issued:
        """A login token for whoever holds the root key, and is asked for no password: that is the installation itself.

        The account is made if it is missing (``ensure``); ``LoginFailed`` if it is disabled.
        """
        principal = await self.ensure(email)
        if not principal.active:
            raise LoginFailed("The account is disabled.")
        return await self._issue(principal, "in process", "login.in_process", None)

    async def end(self, login: Issued) -> None:
        """End a token of ``login_in_process``."""
        credential = login.credential

        def note(ended: Ended) -> Placement | None:
            if not ended:
                return None
            return self._audit.placement("logout", principal=credential.owner, subject=credential.id)

        await self._store.end_credential(credential.id, self._clock.now(), note=note)

    async def _issue(
        self, principal: Principal, label: str, entry: str, address: str | None, known: Login | None = None
    ) -> Issued:
        """A login token, recorded as ``label``, and in the audit as ``entry``.

        ``LoginFailed`` if the account was disabled meanwhile, or has not the password any more that fitted ``known``:
        that takes long to check, and who changes it means to end what others could do with it.
        """
        at = self._clock.now()

        def note(made: Credential) -> Placement:
            return self._audit.placement(entry, principal=principal.id, address=address, subject=made.id)

        ends = at + timedelta(seconds=LOGIN_SECONDS)
        password_hash = None if known is None else known.password_hash
        try:
            return await self._issuing.issue(
                "login", principal, label, at, ends, password_hash=password_hash, note=note
            )
        except RevokedToken:
            raise LoginFailed(WRONG) from None

    def _admit_manager(self, bearer: Bearer, *, whole: bool = True) -> datetime:
        """The moment, if the bearer may change accounts: with a ``whole`` token, since who logs in to one is under no
        conditions; with any to disable one."""
        at = self._admit(bearer, "users.manage")
        if whole:
            expect_whole(bearer, "changes no account, but to disable it")
        return at

    async def _admit_again(self, bearer: Bearer, action: str) -> None:
        """Raise if the bearer was cut off while a password was hashed, which takes long."""
        self._admit(await anew(self._store, bearer), action)

    async def _check_password(self, email: str, password: str, address: str | None) -> Login:
        """The active principal whose password this is; everything else is the same ``LoginFailed``."""
        place, at = address or "", self._clock.now()
        self._throttle.check(email, place, at)
        login = await self._store.find_login(email)
        fits = await self._passwords.check(password, login.password_hash if login else None)
        if login is None or not fits or not login.principal.active:
            self._throttle.failed(email, place, at)
            raise LoginFailed(WRONG)
        self._throttle.succeeded(email, place)
        return login

    async def logout(self, bearer: Bearer) -> None:
        """End the login token that is presented; it is dead when this returns."""
        at = self._admit(bearer, "account.logout")
        credential = session_of(bearer).credential

        def note(ended: Ended) -> Placement | None:
            return self._audit.placement("logout", bearer=bearer, subject=credential.id) if ended else None

        await self._store.end_credential(credential.id, at, note=note)

    async def me(self, bearer: Bearer) -> Session:
        """Who the token speaks for, with its record."""
        self._admit(bearer, "account.read")
        return session_of(bearer)


def _kinds_ended(before: Principal, after: Principal) -> tuple[str, ...]:
    """What ends with the change: nothing, unless somebody is disabled or is an operator no more."""
    lessened = not after.active or (before.role == "operator" and after.role != "operator")
    return ALL_TOKENS if lessened else ()


def _name_of(before: Principal, after: Principal) -> str:
    """What the audit calls the change."""
    if before.active == after.active:
        return "user.changed"
    return "user.enabled" if after.active else "user.disabled"


def _changed(before: Principal, after: Principal) -> dict[str, Any]:
    """The new values of what changed."""
    pairs = [*to_builtins(after).items(), *to_builtins(replace(after.profile)).items()]
    old = to_builtins(before) | to_builtins(before.profile)
    return {name: value for name, value in pairs if name != "profile" and old.get(name) != value}
