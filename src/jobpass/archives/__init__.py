"""The file systems where jobs put what they made: local ones by descriptor, others through fsspec."""

from jobpass.archives.systems import FileArchives, System

__all__ = ["FileArchives", "System"]
