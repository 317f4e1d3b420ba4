"""Blocks of recipes that are gone, for configs of one's own that still inherit from them."""

from __future__ import annotations

from typing import Any

from mmengine.config import ConfigDict

from realdeg.utils.deprecation import warn_renamed

# realdeg::_base_/backbones/NAME.py, where NAME is the type in small letters, held the type alone.
_BARE = (
    "ADRSR CSNLN DFSA DNSR DSRN DWSR EDSR ESPCN FSRCNN HAT IDN IPT IRCNN LapSRN MSRN MWCNN RDN RNAN"
    " RRDBNet SAN SPAN SRDenseNet SwinIR DepthwiseSR MSRResNet PixelRecursiveSR ProSR"
    " ProgressiveCARN SRResNet WaveResNet WaveletSRNet"
).split()
_NETWORKS: dict[str, dict[str, Any]] = {
    **{name.lower(): dict(type=name) for name in _BARE},
    **{name.lower(): dict(type=name, multi_scale=False) for name in ("CARN", "CARNM", "MDSR")},
    "pcarn": dict(type="PCARN", multi_scale=False),
    "cnf": dict(type="CNF", depths="7-9-11"),
    "dbpn": dict(type="DBPN", preset="dbpn"),
    "drcn": dict(type="DRCN", recursions=16, width=256),
    "drrn": dict(type="DRRN", blocks=1, units=25, width=128),
    "kpn": dict(type="KPN", kernel_size=19, init="msra"),
    "lpkpn": dict(type="LPKPN", init="msra"),
    "memnet": dict(type="MemNet", blocks=6, units=6, width=64),
    "metasr": dict(type="MetaSR", trunk="rdn"),
    "mslapsrn": dict(type="MSLapSRN", recursions=8),
    "rcan": dict(type="RCAN", preset="rcan_100", colour="y"),
    "rcanpaper": dict(type="RCAN"),
    "rednet": dict(type="REDNet", depth=30, width=128),
    "srcnn": dict(type="SRCNN", kernels="9-5-5"),
    "srfbn": dict(type="SRFBN", preset="srfbn"),
    "srvggcompact": dict(type="SRVGGNetCompact"),
    "vdsr": dict(type="VDSR", depth=20, width=64, colour="y"),
    "vdsrcpu": dict(type="VDSR", depth=12, width=32, colour="y"),
}


def is_former_block(name: str) -> bool:
    """Whether a name below ``realdeg::`` is one of the blocks that are gone."""
    return _network(name) is not None


def former_block(name: str) -> ConfigDict | None:
    """Return what a block of former versions held, and warn that it is gone.

    Args:
        name: The path below ``realdeg::``, ``_base_/backbones/edsr.py``.

    Returns:
        ``backbone = dict(...)``, or None for any other path.
    """
    network = _network(name)
    if network is None:
        return None
    arguments = ", ".join(f"{key}={value!r}" for key, value in network.items())
    warn_renamed(f"_base_ = 'realdeg::{name}'", f"backbone = dict({arguments})")
    return ConfigDict(backbone=dict(network))


def _network(name: str) -> dict[str, Any] | None:
    folder, _, block = name.removesuffix(".py").rpartition("/")
    return _NETWORKS.get(block.replace("_", "")) if folder == "_base_/backbones" else None
