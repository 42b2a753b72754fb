"""The store on PostgreSQL, for several nodes; needs ``pip install jobpass[postgres]``."""

from jobpass.stores.postgres.schema import finish_migration as finish_migration
from jobpass.stores.postgres.schema import is_made as is_made
from jobpass.stores.postgres.store import PostgresStore as PostgresStore
