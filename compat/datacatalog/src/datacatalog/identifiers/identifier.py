"""Random texts."""

import secrets
import string

__all__ = ["random_string"]


def random_string(size: int = 64, chars: str = string.ascii_uppercase + string.digits) -> str:
    """``size`` of ``chars`` that nobody can foretell: 64 of the usual ones are 330 bits."""
    return "".join(secrets.choice(chars) for _ in range(size))
