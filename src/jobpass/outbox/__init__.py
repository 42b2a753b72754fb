"""Tells webhooks what happened: the only part beside the client that makes HTTP requests."""
