"""The records as they are stored: frozen values, no behaviour, no secrets that open anything.

Times are aware UTC datetimes with whole microseconds.
"""

from jobpass.records.accounts import Login, Principal, Profile, Renewal, Role
from jobpass.records.admin_keys import AdminKey, AdminKeyState
from jobpass.records.audit import AuditEntry
from jobpass.records.credentials import Credential, EndedBy, Lineage, Session, Terms, Touch
from jobpass.records.files import FileFound, FileKind, FileSource, IndexedFile, IndexRun
from jobpass.records.imports import ImportBatch, Imported, LegacyToken, Progress, Standing
from jobpass.records.jobs import NO_LINK, RELATIONS, Change, Details, Event, Job, Linked, Pipeline, Relation, Replayed
from jobpass.records.pages import Page
from jobpass.records.platforms import Platform, PlatformStatus
from jobpass.records.webhooks import Claim, Delivery, News, Webhook
from jobpass.records.work import HELD, QUEUED, WAITING, Blob, Load, Queued, Usage, Work

__all__ = [
    "HELD",
    "NO_LINK",
    "QUEUED",
    "RELATIONS",
    "WAITING",
    "AdminKey",
    "AdminKeyState",
    "AuditEntry",
    "Blob",
    "Change",
    "Claim",
    "Credential",
    "Delivery",
    "Details",
    "EndedBy",
    "Event",
    "FileFound",
    "FileKind",
    "FileSource",
    "ImportBatch",
    "Imported",
    "IndexRun",
    "IndexedFile",
    "Job",
    "LegacyToken",
    "Lineage",
    "Linked",
    "Load",
    "Login",
    "News",
    "Page",
    "Pipeline",
    "Platform",
    "PlatformStatus",
    "Principal",
    "Profile",
    "Progress",
    "Queued",
    "Relation",
    "Renewal",
    "Replayed",
    "Role",
    "Session",
    "Standing",
    "Terms",
    "Touch",
    "Usage",
    "Webhook",
    "Work",
]
