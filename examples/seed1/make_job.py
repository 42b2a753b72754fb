"""The first process of the page on tokens: sets a job up, runs it, and prints its token and uuid.

``CATALOG_MONGODB`` says where jobs are kept, as JSON: {"authn": "…"} or {"url": "…", "token": "…"}.
"""

import json
import os

from datacatalog.linkedstores.pipeline import PipelineStore
from datacatalog.managers.pipelinejobs import ManagedPipelineJob

mongodb = json.loads(os.environ["CATALOG_MONGODB"])
pipeline = PipelineStore(mongodb).add_update_document(
    {
        "id": "urrutia-rnaseq",
        "name": "RNA-seq",
        "components": [{"id": "wgqobY6wgkQJQ", "image": "index.docker.io/jurrutia/rnaseq:0.5", "options": {}}],
        "processing_levels": ["1"],
    }
)
pipelines = {"pipeline_uuid": pipeline["uuid"]}

mpj = ManagedPipelineJob(mongodb, pipelines, agave=None, sample_id="sample.tacc.20001", data={"alpha": 0.5})
mpj.setup()
resp = mpj.run()
token = resp.get("token")
jid = resp.get("uuid")
print(token, jid)
