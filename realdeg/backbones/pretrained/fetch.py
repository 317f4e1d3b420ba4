"""From an entry of the catalogue to a verified file."""

from __future__ import annotations

import logging
from pathlib import Path

from realdeg.backbones.base import Backbone
from realdeg.backbones.pretrained.cache import (
    fingerprint,
    hash_mismatch,
    locked,
    path_of,
    verify,
)
from realdeg.backbones.pretrained.download import download
from realdeg.backbones.pretrained.entry import Pretrained
from realdeg.backbones.weights import load_weights
from realdeg.errors import CheckpointError
from realdeg.utils.cache import offline

logger = logging.getLogger(__name__)


def fetch_pretrained(entry: Pretrained) -> Path:
    """Return the verified file of published weights, downloading it if necessary.

    Args:
        entry: The weights, from :func:`find_pretrained`.

    Returns:
        The file, in ``$REALDEG_HOME/weights`` or the user's cache. A file that was put there by
        hand is verified and used.

    Raises:
        CheckpointError: If the file is missing and cannot be downloaded, naming its page and where
            to put it; if it is not the published file.
        ConfigError: If its address is not safe.
        OutputError: If it cannot be written.
    """
    place = path_of(entry)
    if place.is_file():
        verify(entry, place)
        return place
    if entry.url is None:
        raise CheckpointError(
            f"{entry} has to be downloaded by hand from {entry.page}: put {entry.file} at {place}"
            f" ({fingerprint(entry)}). {entry.note}".rstrip()
        )
    if offline():
        raise CheckpointError(_by_hand(entry, "REALDEG_OFFLINE forbids downloading it"))
    with locked(place) as alone:
        if not place.is_file():  # another process may have downloaded it meanwhile
            _fetch(entry, entry.url, place, alone)
        verify(entry, place)
    return place


def fill_pretrained(backbone: Backbone, entry: Pretrained, *, partial: bool = False) -> list[str]:
    """Fill a network with published weights, downloading them if necessary.

    Args:
        backbone: The network, built with ``entry.settings()``.
        entry: The weights.
        partial: Load what fits and leave the rest unchanged.

    Returns:
        What was not loaded, one line per tensor; empty unless ``partial``.

    Raises:
        CheckpointError: If they are not available, or do not match the network, naming the
            arguments that they need.
        ConfigError: If their address is not safe.
        OutputError: If they cannot be written.
    """
    file = fetch_pretrained(entry)
    try:
        return load_weights(backbone, file, partial=partial)
    except CheckpointError as error:
        form = ", ".join(f"{key}={value!r}" for key, value in entry.settings().items())
        raise CheckpointError(
            f"{error} {entry} is of {entry.type}({form}): leave out any other argument."
        ) from error


def _fetch(entry: Pretrained, url: str, place: Path, alone: bool) -> None:
    logger.info("downloading %s from %s (licence: %s).", entry, url, entry.licence)
    try:
        download(
            url,
            place,
            check=lambda file: hash_mismatch(entry, file),
            size=entry.size,
            describe=str(entry),
            alone=alone,
        )
    except CheckpointError as error:
        raise CheckpointError(_by_hand(entry, str(error))) from error


def _by_hand(entry: Pretrained, reason: str) -> str:
    return (
        f"{entry} is not on this machine, and {reason}. Download {entry.url} ({fingerprint(entry)})"
        f" by other means and put it at {path_of(entry)}; its page is {entry.page}."
    )
