"""The importable front door: arrays and folders in, arrays and folders out."""

from realdeg.apis.degrader import Degrader
from realdeg.apis.folder import Failure, Summary
from realdeg.apis.manifest import read_manifest
from realdeg.apis.super_resolver import SuperResolver
from realdeg.errors import MemoryShortageError

__all__ = [
    "Degrader",
    "Failure",
    "MemoryShortageError",
    "Summary",
    "SuperResolver",
    "read_manifest",
]
