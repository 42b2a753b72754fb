"""Why a token is refused."""

__all__ = ["InvalidAdminToken", "InvalidToken"]


class InvalidToken(ValueError):  # noqa: N818 - the name its users catch
    """The token does not authorize what is asked."""


class InvalidAdminToken(InvalidToken):
    """Only an administrative token would do, and this is none that is valid now."""
