"""What runs a job's payload, in a process of its own: a command, a Python function, Perceval's simulator."""

from jobpass.worker.runners.runner import CancelRequested as CancelRequested
from jobpass.worker.runners.runner import Report as Report
from jobpass.worker.runners.runner import Result as Result
from jobpass.worker.runners.runner import Runner as Runner
from jobpass.worker.runners.runner import RunnerFailed as RunnerFailed
