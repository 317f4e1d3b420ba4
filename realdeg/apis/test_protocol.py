"""One evaluation protocol for a whole test, in place of those in its config."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from mmengine.config import Config

from realdeg.errors import ConfigError
from realdeg.evaluation.image_quality import PERCEPTUAL_METRICS
from realdeg.evaluation.iqa import EXPLICIT, IQA_METRICS
from realdeg.evaluation.protocols import Protocol, get_protocol

ProtocolName: TypeAlias = str | Mapping[str, Any]
"""The name of a protocol, or ``dict(base="rgb", border=4)``."""


def chosen_protocols(given: ProtocolName | Sequence[ProtocolName]) -> list[Protocol]:
    """Return one protocol or several.

    Raises:
        ConfigError: If there is none, one does not exist, or two have one name.
    """
    several = [given] if isinstance(given, str | Mapping) else list(given)
    found = [get_protocol(one) for one in several]
    if not found:
        raise ConfigError("no evaluation protocol was given: name one, such as 'benchmark-y'.")
    names = [one.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"the protocol '{twice}' was given twice.")
    return found


def metrics_of(protocols: Sequence[Protocol], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the configs of the metrics that measure names under every protocol.

    Args:
        protocols: The protocols.
        names: Metrics; those with a protocol of their own, such as LPIPS and all of pyiqa
            (``niqe``, ``pyiqa/maniqa-pipal``), are measured once.
    """
    others = [name for name in names if name in IQA_METRICS or name.startswith(EXPLICIT)]
    images = [name for name in names if name not in others]
    lists = [[name for name in images if name not in PERCEPTUAL_METRICS] for _ in protocols]
    lists[0] = images
    found: list[dict[str, Any]] = [
        {"type": "ImageQuality", "protocol": protocol, "metrics": chosen}
        for protocol, chosen in zip(protocols, lists, strict=True)
        if chosen
    ]
    if others:
        plain = [name.removeprefix(EXPLICIT) for name in others]
        found.append({"type": "PyIQA", "metrics": plain})
    return found


def use_protocol(cfg: Config, protocol: ProtocolName | Sequence[ProtocolName]) -> None:
    """Let a config's test measure its images under one protocol or several.

    Every ``ImageQuality`` becomes one per protocol that has all their metrics. Other metrics stay.

    Args:
        cfg: The config before injection, changed in place.
        protocol: The protocol or protocols.

    Raises:
        ConfigError: If there is no such protocol, or the config has no test.
    """
    chosen = chosen_protocols(protocol)
    stated = [protocol] if isinstance(protocol, str | Mapping) else list(protocol)
    evaluator = cfg.get("test_evaluator")
    metrics = evaluator.get("metrics") if isinstance(evaluator, Mapping) else None
    if not isinstance(metrics, list | tuple):
        raise ConfigError(
            "the config has no 'test_evaluator' with 'metrics': there is nothing to measure under"
            f" the protocol {protocol!r}."
        )
    own = [item for item in metrics if item.get("type") == "ImageQuality"]
    names = dict.fromkeys(name for item in own for name in item.get("metrics", ("psnr", "ssim")))
    kept = {key: value for item in own for key, value in item.items() if key != "prefix"}
    new = [{**kept, **item} for item in metrics_of(chosen, list(names) or ["psnr", "ssim"])]
    for item, named in zip(new, stated, strict=False):
        # As the user wrote it, because the config is saved as data.
        item["protocol"] = dict(named) if isinstance(named, Mapping) else named
    cfg.test_evaluator = {**evaluator, "metrics": [*new, *(m for m in metrics if m not in own)]}


def protocol_dir(run: Path, protocol: str) -> Path:
    """Return the work dir for a run's test under a named protocol, beside those under others.

    Args:
        run: The run's folder; its folder ``test`` is for the recipe's own protocols.
        protocol: The name of the protocol.
    """
    return run / f"test_{re.sub(r'[^A-Za-z0-9._=-]+', '-', protocol)}"
