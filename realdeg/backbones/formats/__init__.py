"""Readers of other programs' weight files; none of them runs code from a file.

Each returns tensors in PyTorch's layout under the file's names, which the networks translate
(``Backbone.dialects``).
"""

from __future__ import annotations

from realdeg.backbones.formats.caffe import read_caffe
from realdeg.backbones.formats.matconvnet import read_matconvnet, read_matrix
from realdeg.backbones.formats.ncnn import is_ncnn, read_ncnn
from realdeg.backbones.formats.pickled import read_pickled

__all__ = [
    "is_ncnn",
    "read_caffe",
    "read_matconvnet",
    "read_matrix",
    "read_ncnn",
    "read_pickled",
]
