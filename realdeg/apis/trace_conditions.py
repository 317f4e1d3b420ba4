"""What traces state of blur and noise, for networks that are told the degradation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from realdeg.apis.trace_files import TraceRecord, read_traces
from realdeg.degradations.build import degradation_from_config
from realdeg.degradations.trace import Trace
from realdeg.errors import DataError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.arguments import arguments_of

# Their traces hold all that their conditions depend on.
_COMPLETE = ("AWGN", "Bicubic", "BlurDown", "KernelPool", "SRMD")
# Neither blur nor noise.
_NEITHER = ("JPEG", "ToneMap")
_DRAWN = ("kernel", "pool")


class TraceConditions:
    """The conditions of images, by the names in a file of traces.

    Args:
        path: A file of traces, or the ``manifest.jsonl`` of ``realdeg degrade``.

    Raises:
        DataError: If the file cannot be read, or holds something else.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._records = read_traces(path)
        self._by_name = {_stem(one.image): one for one in self._records if one.image is not None}

    def of(self, name: str) -> dict[str, Any]:
        """Return the conditions of an image, as ``Degradation.condition`` returns them.

        Args:
            name: The image's name, relative to its folder. Suffixes do not count; a file with a
                single trace that names no image serves all.

        Raises:
            DataError: If no trace belongs to the image, or one does not state blur and noise.
        """
        record: TraceRecord | None = self._by_name.get(_stem(name))
        if record is None and len(self._records) == 1 and self._records[0].image is None:
            (record,) = self._records
        if record is None:
            known = ", ".join(sorted(self._by_name)[:3]) or "no image"
            raise DataError(
                f"{self.path} holds no trace of {name}: it names {known}"
                f"{', ...' if len(self._by_name) > 3 else ''}."
            )
        return trace_conditions(record.trace)


def trace_conditions(trace: Trace) -> dict[str, Any]:
    """Return what a trace states of blur and noise.

    Args:
        trace: Of ``AWGN``, ``Bicubic``, ``BlurDown``, ``KernelPool`` or ``SRMD``, or of a container
            of these and of ``JPEG`` and ``ToneMap``.

    Returns:
        ``kernel``, ``reduction`` and ``noise_level``, as far as they are known.

    Raises:
        DataError: If a part is of another kind, or several parts blur.
    """
    merged: dict[str, Any] = {}
    filters = 0
    for leaf in _leaves(trace):
        if leaf.type in _NEITHER:
            continue
        if leaf.type not in _COMPLETE:
            raise DataError(
                f"the trace of {leaf.type} does not state its blur and noise: state them with"
                " kernel and noise instead."
            )
        told = _rebuilt(leaf).condition(leaf)
        if "kernel" in told and "kernel" in merged:
            raise DataError("the trace holds several blurs, and a network is told one kernel.")
        filters += "kernel" in told or "reduction" in told
        merged |= told
    if filters > 1:
        merged.pop("reduction", None)
    return {name: merged[name] for name in ("kernel", "reduction", "noise_level") if name in merged}


def _leaves(trace: Trace) -> Iterator[Trace]:
    if not trace.parts:
        yield trace
    for part in trace.parts:
        yield from _leaves(part)


def _rebuilt(trace: Trace) -> Any:
    """Build the degradation of a trace from the settings in it."""
    takes = arguments_of(DEGRADATIONS.require(trace.type))
    settings = {name: trace.params[name] for name in trace.params if name in takes}
    settings = {name: value for name, value in settings.items() if name not in _DRAWN}
    if trace.type == "SRMD":
        record = trace.params.get("kernel")
        settings["kernel_size"] = record.get("size") if isinstance(record, dict) else None
    return degradation_from_config({"type": trace.type, **settings})


def _stem(name: str | None) -> str:
    return str(PurePosixPath(str(name).replace(os.sep, "/")).with_suffix(""))
