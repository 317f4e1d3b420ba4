"""Published weights by name: a catalogue, and the files on this machine."""

from __future__ import annotations

from realdeg.backbones.pretrained.catalogue import CATALOGUE, find_pretrained, list_pretrained
from realdeg.backbones.pretrained.entry import Pretrained
from realdeg.backbones.pretrained.fetch import fetch_pretrained, fill_pretrained

__all__ = [
    "CATALOGUE",
    "Pretrained",
    "fetch_pretrained",
    "fill_pretrained",
    "find_pretrained",
    "list_pretrained",
]
