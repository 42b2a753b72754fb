"""The objects of a job cloud under the import paths of ``steps.api``, on Jobpass."""

__version__ = "0.1.0"
