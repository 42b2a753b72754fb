"""The import paths of python-datacatalog, on Jobpass; a part is imported when it is asked for."""

__version__ = "0.1.0"
