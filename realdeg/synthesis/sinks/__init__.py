"""The formats of data sets, one file each: image files, tar, Parquet and LMDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from realdeg.errors import ConfigError
from realdeg.synthesis.sinks.base import Sink
from realdeg.synthesis.sinks.folder import FolderSink
from realdeg.synthesis.sinks.lmdb import LmdbSink
from realdeg.synthesis.sinks.parquet import ParquetSink
from realdeg.synthesis.sinks.tar import TarSink

DatasetFormat = Literal["folder", "tar", "parquet", "lmdb"]
DATASET_FORMATS: tuple[str, ...] = get_args(DatasetFormat)

__all__ = ["DATASET_FORMATS", "DatasetFormat", "Sink", "build_sink"]


def build_sink(name: str, *, hr: bool, outputs: Mapping[str, str] | None = None) -> Sink:
    """Return the sink of a format.

    Args:
        name: One of ``DATASET_FORMATS``.
        hr: Whether HR images are stored as well.
        outputs: For a folder of LR images alone: their files by the names of images.

    Raises:
        ConfigError: If the format is unknown, or its package is not installed.
    """
    if name == "folder":
        return FolderSink(outputs)
    if name == "tar":
        return TarSink()
    if name == "parquet":
        return ParquetSink()
    if name == "lmdb":
        return LmdbSink(hr)
    raise ConfigError(f"to is {', '.join(DATASET_FORMATS)}, got {name!r:.40}.")
