"""Faults: a server under load, what happens to it, and a checker that decides whether the record holds."""


class NotHereError(Exception):
    """What a trial needs is not on this machine; the text says what."""
