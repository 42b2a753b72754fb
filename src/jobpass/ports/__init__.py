"""What the authority asks of a store. Stores keep; they do not judge.

Every method raises ``StoreUnavailable`` when the record cannot be read or written now; then nothing was half-written.
A ``note`` is what the audit is told of a write: both stand, or neither does.
"""

from jobpass.ports.accounts import AccountStore, Ends
from jobpass.ports.admin_keys import AdminKeyStore
from jobpass.ports.archives import Archives
from jobpass.ports.audit import AuditStore, Note, Placement, Places
from jobpass.ports.files import FileStore
from jobpass.ports.imports import ImportStore, Place
from jobpass.ports.jobs import JobStore, Judge
from jobpass.ports.platforms import PlatformStore
from jobpass.ports.randomness import Randomness
from jobpass.ports.signals import Listener, Signals, Tell
from jobpass.ports.store import Store
from jobpass.ports.webhooks import Destinations, WebhookStore
from jobpass.ports.work import WorkStore

__all__ = [
    "AccountStore",
    "AdminKeyStore",
    "Archives",
    "AuditStore",
    "Destinations",
    "Ends",
    "FileStore",
    "ImportStore",
    "JobStore",
    "Judge",
    "Listener",
    "Note",
    "Place",
    "Placement",
    "Places",
    "PlatformStore",
    "Randomness",
    "Signals",
    "Store",
    "Tell",
    "WebhookStore",
    "WorkStore",
]
