"""Faults: a server under load, what happens to it, and a checker that decides whether the record holds."""
