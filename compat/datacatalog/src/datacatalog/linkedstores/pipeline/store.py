"""The store of pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from datacatalog import settings
from datacatalog.dicthelpers import data_merge
from datacatalog.linkedstores.basestore.exceptions import CatalogError
from datacatalog.linkedstores.pipeline.exceptions import (
    DuplicatePipelineError,
    PipelineCreateFailure,
    PipelineUpdateFailure,
)
from datacatalog.mongo import db_connection
from datacatalog.tokens.exceptions import InvalidToken
from jobpass import Client, errors, ids

DEFAULT_LINK_FIELDS: Final = ["child_of", "derived_from"]
_DEFAULT_ID: Final = "pipeline.id"


class PipelineStore:
    """Pipelines, by the uuid that follows from ``id`` and ``components``; ``mongodb`` says where they are.

    Whoever the connection speaks for registers and changes its own; tokens of documents have no part in it.
    """

    LINK_FIELDS = DEFAULT_LINK_FIELDS

    def __init__(self, mongodb: Any, config: Any = None, session: Any = None, **kwargs: Any) -> None:
        self._connection = db_connection(mongodb)

    def add_update_document(
        self,
        document_dict: Mapping[str, Any],
        uuid: str | None = None,
        token: str | None = None,
        strategy: str = "merge",
    ) -> dict[str, Any]:
        """Register a pipeline, or change the one of the same uuid: with ``merge`` what is not named stays.

        Another ``id`` or other components are another pipeline: a ``uuid`` that does not follow from them is refused.
        Raises ``DuplicatePipelineError`` for somebody else's, ``PipelineCreateFailure`` for one that cannot be.
        """
        if strategy not in ("merge", "replace"):
            raise ValueError("strategy must be merge or replace")
        given = {name: value for name, value in document_dict.items() if not name.startswith("_")}
        follows = self.get_typeduuid(given)
        wanted = given.pop("uuid", None) if uuid is None else uuid
        if wanted not in (None, follows):
            raise PipelineUpdateFailure(f"{wanted} does not follow from id and components, which give {follows}")
        given.pop("uuid", None)
        client = self._connection.own()
        present = self._find(client, follows) if strategy == "merge" else None
        members = data_merge(present or {}, given) if present else given
        members.setdefault("id", _DEFAULT_ID)
        for name, default in (("name", members["id"]), ("components", []), ("processing_levels", [])):
            members.setdefault(name, default)
        members.pop("uuid", None)
        try:
            return client.create_pipeline(members)
        except errors.AlreadyExists as error:
            raise DuplicatePipelineError(error.message) from error
        except errors.InvalidInput as error:
            raise PipelineCreateFailure(error.message) from error
        except (errors.InvalidToken, errors.Denied) as error:
            raise InvalidToken("Token was not valid") from error

    def find_one_by_uuid(self, uuid: str) -> dict[str, Any] | None:
        """The members of a pipeline; None if there is none."""
        if type(uuid) is not str:
            raise CatalogError("A uuid is a text")
        return self._find(self._connection.own(), uuid)

    def get_typeduuid(self, payload: Mapping[str, Any], binary: bool = False) -> str:
        """The uuid that follows from ``id`` and ``components``; ``PipelineCreateFailure`` if they are not sound."""
        try:
            return ids.pipeline_uuid(
                payload.get("id", _DEFAULT_ID), payload.get("components", []), str(settings.UUID_NAMESPACE)
            )
        except errors.InvalidInput as error:
            raise PipelineCreateFailure(error.message) from error

    def _find(self, client: Client, uuid: str) -> dict[str, Any] | None:
        try:
            return client.pipeline(uuid)
        except (errors.NotFound, errors.InvalidInput):
            return None
        except (errors.InvalidToken, errors.Denied) as error:
            raise InvalidToken("Token was not valid") from error


class StoreInterface(PipelineStore):
    """The name under which the original's packages looked for their store."""
