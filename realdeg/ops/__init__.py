"""Custom torch operators on plain tensors.

Importing this package registers ``torch.ops.realdeg.kernel_apply``, ``kernel_apply_adjoint`` and
``pixel_kernel_apply``.
"""

from realdeg.ops.decompose import decompositions
from realdeg.ops.kernel_apply import kernel_apply
from realdeg.ops.kernel_apply_adjoint import kernel_apply_adjoint
from realdeg.ops.padding import PADDINGS, output_size, pad, pad_amounts
from realdeg.ops.pixel_kernel_apply import pixel_kernel_apply

# Imported last: it registers vmap rules for the operators above.
from realdeg.ops import vectorise as _vectorise  # isort: skip # noqa: F401

__all__ = [
    "PADDINGS",
    "decompositions",
    "kernel_apply",
    "kernel_apply_adjoint",
    "output_size",
    "pad",
    "pad_amounts",
    "pixel_kernel_apply",
]
