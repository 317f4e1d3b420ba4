"""Readers of weight files that other programs wrote; none of them runs what a file holds.

Every reader returns tensors in PyTorch's layout under the file's own names. Which name means which
layer is each network's matter (``Backbone.dialects``).
"""

from __future__ import annotations

from realdeg.backbones.formats.caffe import read_caffe
from realdeg.backbones.formats.matconvnet import read_matconvnet
from realdeg.backbones.formats.pickled import read_pickled

__all__ = ["read_caffe", "read_matconvnet", "read_pickled"]
