"""The page on administrative tokens: one token, made from the admin key, for an update and then for a reset."""

import json
import os

from datacatalog.managers.pipelinejobs import ManagedPipelineJobInstance
from datacatalog.tokens import get_admin_token
from datacatalog.tokens.admin import get_admin_key

mongodb = json.loads(os.environ["CATALOG_MONGODB"])
job_uuid = os.environ["JOB_UUID"]

akey = get_admin_key()  # CATALOG_ADMIN_TOKEN_KEY
atoken = get_admin_token(akey)
mpji = ManagedPipelineJobInstance(mongodb, job_uuid, token=atoken)
update_doc = {"uuid": job_uuid, "name": "update", "data": {}}
mpji.handle(update_doc, atoken)
reset_doc = {"uuid": job_uuid, "name": "reset", "data": {}}
mpji.handle(reset_doc, atoken)
print(mpji.state)
mpji.ready(token=atoken)  # or mpji.reset(token=atoken), which does both and clears the archive path between
print(mpji.state)
