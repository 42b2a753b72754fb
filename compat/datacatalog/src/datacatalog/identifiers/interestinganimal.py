"""Names which people can say, such as ``sharp-otter``; neither unique nor secret."""

import petname

from datacatalog import settings
from datacatalog.settings import environment

__all__ = ["generate", "mock", "pet_name"]


def generate(timestamp: bool = True) -> str:
    """A new name, as the ``CATALOG_ADJ_ANIMAL_*`` variables shape it; ``timestamp`` adds the second, in UTC."""
    name = pet_name(settings.ADJ_ANIMAL_WORDS, settings.ADJ_ANIMAL_DELIM, settings.ADJ_ANIMAL_LENGTH)
    return name + environment.now().strftime("%Y%m%dT%H%M%SZ") if timestamp else name


def mock(timestamp: bool = True) -> str:
    """What ``generate`` gives."""
    return generate(timestamp)


def pet_name(words: int = 2, separator: str = "-", letters: int = 6) -> str:
    """A name of ``words`` words of at most ``letters`` letters each."""
    return str(petname.generate(words, separator, letters))
