"""Custom torch operators; they know tensors only.

Importing this package registers ``torch.ops.realdeg.kernel_apply`` and
``torch.ops.realdeg.pixel_kernel_apply``.
"""

from realdeg.ops.kernel_apply import kernel_apply
from realdeg.ops.padding import PADDINGS, output_size, pad, pad_amounts
from realdeg.ops.pixel_kernel_apply import pixel_kernel_apply

__all__ = [
    "PADDINGS",
    "kernel_apply",
    "output_size",
    "pad",
    "pad_amounts",
    "pixel_kernel_apply",
]
