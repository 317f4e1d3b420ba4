"""A page about runs: one HTML file for a browser, which needs neither network nor library."""

from realdeg.reporting.content import (
    Basis,
    Gallery,
    KernelField,
    Layer,
    Pictures,
    Plot,
    Shot,
)
from realdeg.reporting.page import render

__all__ = ["Basis", "Gallery", "KernelField", "Layer", "Pictures", "Plot", "Shot", "render"]
