"""What differs between the traces of one degradation, in a few words each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from realdeg.apis.trace_files import OMITTED, value_in_words
from realdeg.degradations.trace import Trace

_MOST_PHRASES = 8
_NAMES = {"quality": "JPEG", "jpeg": "JPEG", "differentiable_jpeg": "JPEG", "webp": "WebP"}


def trace_differences(traces: Sequence[Trace]) -> list[str]:
    """Name, for each trace, the decisions that it does not share with all others.

    Args:
        traces: Of one degradation.

    Returns:
        A phrase each, such as ``"blur 1.8, JPEG 62"``; of a single trace all decisions, as there is
        nothing to compare it with. Where only seeds of random fields differ, and where nothing
        does, it says so.

    Examples:
        >>> one, two = (Trace("SRMD", {"sigma": sigma, "angle": 1.0}) for sigma in (1.8, 25.0))
        >>> trace_differences([one, two])
        ['sigma 1.8', 'sigma 25']
    """
    phrases = [list(_phrases(trace)) for trace in traces]
    if len(phrases) > 1:
        shared = Counter(phrases[0])
        for each in phrases[1:]:
            shared &= Counter(each)
        phrases = [_without(each, shared) for each in phrases]
    if not any(phrases):
        seeds = {tuple(_seeds(trace.to_dict())) for trace in traces}
        alike = "other noise" if len(seeds) > 1 else "no random choice"
        return [alike] * len(phrases)
    return [_joined(each) for each in phrases]


def _joined(phrases: Sequence[str]) -> str:
    more = len(phrases) - _MOST_PHRASES
    words = ", ".join(phrases[:_MOST_PHRASES]) or "nothing further"
    return f"{words} and {more} more" if more > 0 else words


def _without(phrases: Sequence[str], shared: Counter[str]) -> list[str]:
    left, kept = Counter(shared), []
    for phrase in phrases:
        if left[phrase]:
            left[phrase] -= 1
        else:
            kept.append(phrase)
    return kept


def _phrases(trace: Trace) -> Iterator[str]:
    params = {key: value for key, value in trace.params.items() if key not in OMITTED}
    steps = params.pop("steps", None)
    yield from _decisions(params)
    if isinstance(steps, list | tuple):
        for step in steps:
            yield _step(step) if isinstance(step, Mapping) else value_in_words(step)
    for part in trace.parts:
        yield from _phrases(part)


def _decisions(params: Mapping[str, Any]) -> Iterator[str]:
    for key, value in params.items():
        if str(key).endswith("seed") or value is None:
            continue
        if isinstance(value, Mapping):
            yield f"blur {_kernel(value)}" if "shape" in value else f"{key} {value_in_words(value)}"
        else:
            yield f"{_NAMES.get(key, key)} {value_in_words(value)}"


def _step(step: Mapping[str, Any]) -> str:
    op = str(step.get("op", "step"))
    if isinstance(step.get("kernel"), Mapping):
        return f"{op} {_kernel(step['kernel'])}"
    if op == "resize" and isinstance(step.get("size"), list | tuple):
        return f"resize {' x '.join(map(str, step['size']))}"
    # One number tells most: the quality of a codec, the strength of noise.
    for key in ("quality", "sigma", "level", "strength"):
        if key in step:
            return f"{_NAMES.get(op, op.replace('_', ' '))} {value_in_words(step[key])}"
    kind = step.get("kind")
    return op.replace("_", " ") + (f" {kind}" if isinstance(kind, str) else "")


def _kernel(kernel: Mapping[str, Any]) -> str:
    """Return the widths of a kernel's axes as standard deviations, or its shape."""
    widths = []
    for axis in ("x", "y"):
        sigma, variance = kernel.get(f"sigma_{axis}"), kernel.get(f"variance_{axis}")
        if isinstance(sigma, int | float):
            widths.append(float(sigma))
        elif isinstance(variance, int | float) and variance >= 0:
            widths.append(math.sqrt(variance))
    shape = str(kernel.get("shape", "kernel"))
    return " x ".join(f"{width:.3g}" for width in widths) if widths else shape


def _seeds(record: Any) -> Iterator[Any]:
    if isinstance(record, Mapping):
        for key, value in record.items():
            if str(key).endswith("seed"):
                yield str(value)
            else:
                yield from _seeds(value)
    elif isinstance(record, list | tuple):
        for value in record:
            yield from _seeds(value)
