"""One evaluation protocol for a whole test, in place of those in its config."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from realdeg.errors import ConfigError
from realdeg.evaluation.protocols import get_protocol

ProtocolName = str | Mapping[str, Any]
"""The name of a protocol, or ``dict(base="rgb", border=4)``."""


def use_protocol(cfg: Config, protocol: ProtocolName) -> None:
    """Let a config's test measure its images under one protocol.

    Every ``ImageQuality`` becomes one that has all their metrics. Other metrics stay.

    Args:
        cfg: The config before injection, changed in place.
        protocol: The protocol.

    Raises:
        ConfigError: If there is no such protocol, or the config has no test.
    """
    get_protocol(protocol)
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
    one = {
        **kept,
        "type": "ImageQuality",
        "protocol": dict(protocol) if isinstance(protocol, Mapping) else protocol,
        "metrics": list(names) or ["psnr", "ssim"],
    }
    cfg.test_evaluator = {**evaluator, "metrics": [one, *(m for m in metrics if m not in own)]}


def protocol_dir(run: Path, protocol: str) -> Path:
    """Return the work dir for a run's test under a named protocol, beside those under others.

    Args:
        run: The run's folder; its folder ``test`` is for the recipe's own protocols.
        protocol: The name of the protocol.
    """
    return run / f"test_{re.sub(r'[^A-Za-z0-9._=-]+', '-', protocol)}"
