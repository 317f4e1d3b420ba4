"""From an entry of the catalogue to a verified file."""

from __future__ import annotations

import logging
from pathlib import Path

from realdeg.backbones.base import Backbone
from realdeg.backbones.pretrained.cache import (
    fault,
    fingerprint,
    locked,
    offline,
    place_of,
    verify,
)
from realdeg.backbones.pretrained.download import download
from realdeg.backbones.pretrained.entry import Pretrained
from realdeg.backbones.weights import load_weights
from realdeg.errors import CheckpointError

logger = logging.getLogger(__name__)


def fetch_pretrained(entry: Pretrained) -> Path:
    """Return the verified file of published weights, fetching it if it is not here.

    Args:
        entry: The weights, from :func:`find_pretrained`.

    Returns:
        The file, in ``$REALDEG_HOME/weights`` or the user's cache. One that was put there by hand
        is verified and taken.

    Raises:
        CheckpointError: If the file is not here and cannot be fetched, naming where it is to be
            had and where to put it; if it is not the file that was published.
        ConfigError: If its address is not safe.
        OutputError: If it cannot be written.
    """
    place = place_of(entry)
    if place.is_file():
        verify(entry, place)
        return place
    if entry.url is None:
        raise CheckpointError(
            f"{entry} has to be fetched by hand from {entry.page}: put {entry.file} at {place}"
            f" ({fingerprint(entry)}). {entry.note}".rstrip()
        )
    if offline():
        raise CheckpointError(_by_hand(entry, "REALDEG_OFFLINE forbids to fetch it"))
    with locked(place) as alone:
        if not place.is_file():  # another process may have fetched it while this one waited
            _fetch(entry, entry.url, place, alone)
        verify(entry, place)
    return place


def fill_pretrained(backbone: Backbone, entry: Pretrained, *, partial: bool = False) -> list[str]:
    """Fill a network with published weights, fetching them if they are not here.

    Args:
        backbone: The network, built with ``entry.settings()``.
        entry: The weights.
        partial: Load what fits, and leave the rest as it is.

    Returns:
        What was not loaded, one line for each tensor: empty unless ``partial``.

    Raises:
        CheckpointError: If they cannot be had, or are of another form than the network, naming
            the one that they are of.
        ConfigError: If their address is not safe.
        OutputError: If they cannot be written.
    """
    file = fetch_pretrained(entry)
    try:
        return load_weights(backbone, file, partial=partial)
    except CheckpointError as error:
        form = ", ".join(f"{key}={value!r}" for key, value in entry.settings().items())
        raise CheckpointError(
            f"{error} {entry} is of {entry.type}({form}): leave out what else is stated."
        ) from error


def _fetch(entry: Pretrained, url: str, place: Path, alone: bool) -> None:
    logger.info("fetching %s from %s (licence: %s).", entry, url, entry.licence)
    try:
        download(
            url,
            place,
            check=lambda file: fault(entry, file),
            size=entry.size,
            describe=str(entry),
            alone=alone,
        )
    except CheckpointError as error:
        raise CheckpointError(_by_hand(entry, str(error))) from error


def _by_hand(entry: Pretrained, reason: str) -> str:
    return (
        f"{entry} is not on this machine, and {reason}. Fetch {entry.url} ({fingerprint(entry)}) by"
        f" other means and put it at {place_of(entry)}; its page is {entry.page}."
    )
