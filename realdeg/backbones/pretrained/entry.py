"""What is known of one published file of weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# What a number was measured with, as its source says it.
Y_BORDER = "Y, border of the scale"
RGB_BORDER = "RGB, border of the scale"
MEASURED = "measured with realdeg; Y, border of the scale"

HashFrom = Literal["file", "publisher", "others"]


@dataclass(frozen=True)
class Pretrained:
    """One file of weights that somebody publishes.

    Attributes:
        type: The registered network that it fills.
        name: What the weights are asked for by; several files may share it, each of other scales.
        scales: The scales that the file serves.
        page: Where it is published, and where the address was read.
        licence: As the publisher states it, or ``"not stated"``.
        trained_on: The data it was trained on, and how LR was made; empty if that is not known.
        file: The name that the file has in the cache.
        url: The file itself; None where it has to be fetched by hand from ``page``.
        arguments: What the network is built with, beside the scale.
        sha256: The file's SHA-256 in hexadecimal digits, or the first of them; None if unknown.
        hash_from: Who computed it: we, from the ``file`` itself; the ``publisher``, who put its
            first digits into the file's name; or ``others``, two or more projects that publish the
            same digits for that file.
        git_blob: The file's id in the publisher's Git repository, 40 hexadecimal digits, where its
            SHA-256 is not known; None elsewhere.
        size: The file's length in bytes; None if unknown.
        set5: The PSNR in dB on Set5 of each scale in ``scales``, as its publisher reports it or
            as ``protocol`` says; None where neither is known.
        protocol: What ``set5`` was measured with.
        note: Anything else that a user should know.
    """

    type: str
    name: str
    scales: tuple[int, ...]
    page: str
    licence: str
    trained_on: str
    file: str
    url: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    sha256: str | None = None
    hash_from: HashFrom | None = None
    git_blob: str | None = None
    size: int | None = None
    set5: tuple[float | None, ...] = ()
    protocol: str = Y_BORDER
    note: str = ""

    def settings(self) -> dict[str, Any]:
        """Return the arguments of the network, with the scale where the file serves only one."""
        scale = {"scale": self.scales[0]} if len(self.scales) == 1 else {}
        return {**scale, **self.arguments}

    def __str__(self) -> str:
        """Name it as messages do: ``SwinIR 'classical-df2k' x4``."""
        return f"{self.type} '{self.name}' {scales_text(self.scales)}"


def scales_text(scales: tuple[int, ...]) -> str:
    """Write scales as tables do.

    Args:
        scales: The scales.

    Examples:
        >>> scales_text((2, 3, 4)), scales_text((1,))
        ('x2, x3, x4', 'x1')
    """
    return ", ".join(f"x{scale}" for scale in scales)


def hash_in_name(file: str) -> str | None:
    """Return the digits of a SHA-256 that some publishers put at the end of a file's name.

    Args:
        file: The file's name.

    Examples:
        >>> hash_in_name("edsr_x4-4f62e9ef.pt"), hash_in_name("RRDB.pth")
        ('4f62e9ef', None)
    """
    found = re.search(r"-([0-9a-f]{8})\.\w+$", file)
    return found.group(1) if found else None


def in_git(
    type: str,  # noqa: A002
    name: str,
    scales: tuple[int, ...],
    folder: str,
    file: str,
    **more: Any,
) -> Pretrained:
    """Make an entry of a file that lies in a Git repository.

    Args:
        type: See :class:`Pretrained`, as ``name``, ``scales`` and ``more``.
        name: What the weights are asked for by.
        scales: The scales that the file serves.
        folder: ``<owner>/<repository>/<commit>/<folder>``.
        file: The file's name there.
        **more: The other fields.
    """
    owner, repository = folder.split("/")[:2]
    more.setdefault("hash_from", "file" if "sha256" in more else None)
    return Pretrained(
        type=type,
        name=name,
        scales=scales,
        page=f"https://github.com/{owner}/{repository}",
        file=file,
        url=f"https://raw.githubusercontent.com/{folder}/{file}",
        **more,
    )
