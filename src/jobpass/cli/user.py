"""``jobpass user``."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jobpass.cli import connect, inputs, options, output
from jobpass.errors import InvalidInput, UnknownPlatform, UnknownPrincipal

if TYPE_CHECKING:
    from jobpass.client.sync import Client
    from jobpass.client.users import Role
    from jobpass.wire.power import UserAnswer

app = options.group("Make accounts, change and end them, set passwords.")

Who = Annotated[str, typer.Argument(help="The account's id or address.")]
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="Read the password from this file.")]
RoleOption = Annotated[str | None, typer.Option("--role", help="author or operator.")]
Admin = Annotated[bool | None, typer.Option("--admin/--no-admin", help="An operator, or an author.")]
FirstName = Annotated[str | None, typer.Option("--first-name", help="The first name.")]
LastName = Annotated[str | None, typer.Option("--last-name", help="The last name.")]
Priority = Annotated[
    int | None, typer.Option("--priority", help="The highest that its tokens may have; 2 unless told.")
]
Company = Annotated[int | None, typer.Option("--company", help="The company's id.")]
PlatformsOption = Annotated[
    list[str] | None,
    typer.Option("--platforms", help="Only these, by name or id; by commas, or given again; else all."),
]
Queue = Annotated[
    int | None, typer.Option("--max-jobs-in-queue", help="Jobs that wait or run at once; 50 unless told.")
]
Concurrent = Annotated[int | None, typer.Option("--max-concurrent-jobs", help="Jobs that run at once; 5 unless told.")]

PROFILE: Final = (
    "first_name",
    "last_name",
    "priority",
    "company_id",
    "platform_ids",
    "max_jobs_in_queue",
    "max_concurrent_jobs",
)


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="The account's address.")],
    *,
    role: RoleOption = None,
    admin: Admin = None,
    first_name: FirstName = None,
    last_name: LastName = None,
    priority: Priority = None,
    company: Company = None,
    platforms: PlatformsOption = None,
    max_jobs_in_queue: Queue = None,
    max_concurrent_jobs: Concurrent = None,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="Read the password from this file; else one is made.")
    ] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Make an account; without a password file its password is made and shown this once."""
    from jobpass.compose import make_password

    wanted = _role(role, admin=admin) or "author"
    made = make_password() if password_file is None else None
    password = made or inputs.read_secret(Path(str(password_file)), "password file")
    members = _given(first_name, last_name, priority, company, None, max_jobs_in_queue, max_concurrent_jobs)
    with connect.connect(url, token_file) as client:
        if platforms is not None:
            members["platform_ids"] = _platform_ids(client, platforms)
        user = client.create_user(email, password, wanted, **members)
    _show(user, as_json=as_json, password=made)


@app.command()
def update(
    who: Who,
    *,
    email: Annotated[str | None, typer.Option("--email", help="Another address.")] = None,
    role: RoleOption = None,
    admin: Admin = None,
    first_name: FirstName = None,
    last_name: LastName = None,
    priority: Priority = None,
    company: Company = None,
    no_company: Annotated[bool, typer.Option("--no-company", help="Of no company.")] = False,
    platforms: PlatformsOption = None,
    all_platforms: Annotated[bool, typer.Option("--all-platforms", help="May use all platforms.")] = False,
    max_jobs_in_queue: Queue = None,
    max_concurrent_jobs: Concurrent = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Change an account; what is not given stays. An operator who becomes an author loses all tokens, for good."""
    if (platforms is not None and all_platforms) or (company is not None and no_company):
        raise InvalidInput("--all-platforms and --platforms, or --no-company and --company, contradict each other.")
    changes = _given(first_name, last_name, priority, company, email, max_jobs_in_queue, max_concurrent_jobs)
    wanted = _role(role, admin=admin)
    changes |= {"role": wanted} if wanted else {}
    changes |= {"company_id": None} if no_company else {}
    changes |= {"platform_ids": None} if all_platforms else {}
    if not changes and platforms is None:
        raise InvalidInput("Say what to change.")
    with connect.connect(url, token_file) as client:
        if platforms is not None:
            changes["platform_ids"] = _platform_ids(client, platforms)
        user = client.update_user(find(client, who).id, **changes)
    _show(user, as_json=as_json)


@app.command("list")
def list_(
    *,
    limit: options.Limit = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """List all accounts."""
    with connect.connect(url, token_file) as client:
        users = list(islice(client.iter_users(limit=1000), limit))
    rows = ((u.id, u.email, u.role, _state(u)) for u in users)
    output.listing({"users": users}, ("id", "email", "role", "state"), rows, as_json=as_json)


@app.command()
def show(
    who: Who, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Show one account."""
    with connect.connect(url, token_file) as client:
        user = find(client, who)
    _show(user, as_json=as_json)


@app.command()
def disable(
    who: Who, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Disable an account: all its tokens and API keys end at once, for good."""
    with connect.connect(url, token_file) as client:
        user = client.disable_user(find(client, who).id)
    _show(user, as_json=as_json)


@app.command()
def enable(
    who: Who, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Enable an account again; the tokens that ended stay dead."""
    with connect.connect(url, token_file) as client:
        user = client.enable_user(find(client, who).id)
    _show(user, as_json=as_json)


@app.command()
def password(
    who: Annotated[str | None, typer.Argument(help="The account's id or address; else your own.")] = None,
    *,
    password_file: PasswordFile = None,
    present_password_file: Annotated[
        Path | None, typer.Option("--present-password-file", help="For your own: read the present one from this file.")
    ] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Set a password, which ends the account's log-ins."""
    with connect.connect(url, token_file) as client:
        me = client.me()
        user_id, email = (me.user_id, me.email) if who is None else _pair(find(client, who))
        present = None
        if user_id == me.user_id:
            asked = present_password_file
            present = inputs.read_secret(asked, "password file") if asked else inputs.ask_password(f"{email}, present")
        user = client.set_password(user_id, inputs.new_password(password_file, f"{email}, new"), present)
    _show(user, as_json=as_json)
    output.note("The log-ins of this account have ended: log in again.")


def _pair(user: UserAnswer) -> tuple[int, str]:
    return user.id, user.email


def _role(role: str | None, *, admin: bool | None) -> Role | None:
    """The role that is asked for in either way, None if in none."""
    meant: Role | None = None if admin is None else "operator" if admin else "author"
    if role is None:
        return meant
    said: Role = inputs.one_of(role, ("author", "operator"), "--role")
    if meant not in (None, said):
        raise InvalidInput("--role and --admin contradict each other.")
    return said


def _given(
    first_name: str | None,
    last_name: str | None,
    priority: int | None,
    company: int | None,
    email: str | None,
    max_jobs_in_queue: int | None,
    max_concurrent_jobs: int | None,
) -> dict[str, Any]:
    """What was given, by the arguments of the SDK."""
    members = {
        "first_name": first_name,
        "last_name": last_name,
        "priority": priority,
        "company_id": company,
        "email": email,
        "max_jobs_in_queue": max_jobs_in_queue,
        "max_concurrent_jobs": max_concurrent_jobs,
    }
    return {name: value for name, value in members.items() if value is not None}


def _platform_ids(client: Client, words: list[str]) -> list[str]:
    """The ids of platforms that are given by name or by id; ``UnknownPlatform`` for another word."""
    wanted = inputs.split(words) or []
    known = client.platforms() if wanted else []
    ids = {one.id: one.id for one in known} | {one.name: one.id for one in known}
    unknown = [word for word in wanted if word not in ids]
    if unknown:
        raise UnknownPlatform(f"No platform has the name or id {' or '.join(unknown)}.", name=unknown[0])
    return [ids[word] for word in wanted]


def find(client: Client, who: str) -> UserAnswer:
    """The account of an id or an address."""
    if who.isascii() and who.isdigit():
        return client.user(int(who))
    address = who.strip().lower()
    found = next((user for user in client.iter_users(limit=1000) if user.email == address), None)
    if found is None:
        raise UnknownPrincipal("There is no such account.", email=address)
    return found


def _state(user: UserAnswer) -> str:
    return "active" if user.active else "disabled"


def _show(user: UserAnswer, *, as_json: bool, password: str | None = None) -> None:
    import msgspec

    if as_json:
        output.json_line(msgspec.to_builtins(user) | ({"password": password} if password else {}))
        return
    state, made = _state(user), output.moment(user.created_at)
    output.fields([("id", user.id), ("email", user.email), ("role", user.role), ("state", state), ("created_at", made)])
    profile: dict[str, Any] = {name: getattr(user, name) for name in PROFILE}
    if user.platform_ids is not None:
        profile["platform_ids"] = ", ".join(user.platform_ids) or "(none)"
    output.fields((name, value) for name, value in profile.items() if value not in (None, ""))
    if password:
        output.line(f"The password, shown this once: {password}")
