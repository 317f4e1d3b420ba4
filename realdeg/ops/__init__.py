"""Custom torch operators; they know tensors only.

Importing this package registers ``torch.ops.realdeg.kernel_apply`` and
``torch.ops.realdeg.pixel_kernel_apply``.
"""

from realdeg.ops.decompose import decompositions
from realdeg.ops.kernel_apply import kernel_apply
from realdeg.ops.padding import PADDINGS, output_size, pad, pad_amounts
from realdeg.ops.pixel_kernel_apply import pixel_kernel_apply

# After the operators are defined: it only registers.
from realdeg.ops import vectorise as _vectorise  # isort: skip # noqa: F401

__all__ = [
    "PADDINGS",
    "decompositions",
    "kernel_apply",
    "output_size",
    "pad",
    "pad_amounts",
    "pixel_kernel_apply",
]
