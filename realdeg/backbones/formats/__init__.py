"""Readers of other programs' weight files; none of them runs code from a file.

Each returns tensors in PyTorch's layout under the file's names, which the networks translate
(``Backbone.dialects``).
"""

from __future__ import annotations

from realdeg.backbones.formats.caffe import read_caffe
from realdeg.backbones.formats.matconvnet import read_matconvnet
from realdeg.backbones.formats.pickled import read_pickled

__all__ = ["read_caffe", "read_matconvnet", "read_pickled"]
