"""Figures of kernels, weight maps, comparisons and curves."""

from realdeg.visualization.curves import table_picture, training_curves
from realdeg.visualization.kernels import (
    basis_kernels,
    kernel_grid,
    kernel_points,
    kernel_width,
)
from realdeg.visualization.maps import weight_maps
from realdeg.visualization.sheets import SheetRow, comparison_sheet
from realdeg.visualization.style import new_figure, save_figure

__all__ = [
    "SheetRow",
    "basis_kernels",
    "comparison_sheet",
    "kernel_grid",
    "kernel_points",
    "kernel_width",
    "new_figure",
    "save_figure",
    "table_picture",
    "training_curves",
    "weight_maps",
]
