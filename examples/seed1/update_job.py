"""The other process: knows the job's uuid and its token, and nothing else. Prints the token that the answer holds.

``CATALOG_MONGODB`` may do without a token here: that of the job is enough.
"""

import json
import os

from datacatalog.managers.pipelinejobs import ManagedPipelineJobInstance

mongodb = json.loads(os.environ["CATALOG_MONGODB"])
job_uuid = os.environ["JOB_UUID"]
job_token = os.environ["JOB_TOKEN"]  # never an argument: those are seen by everybody on the machine

mpji = ManagedPipelineJobInstance(mongodb, job_uuid, token=job_token)
resp = mpji.update()
token = resp.get("token")
print(token)
