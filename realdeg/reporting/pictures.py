"""Galleries, kernels and bases as parts of the page."""

from __future__ import annotations

from typing import Any

import numpy as np

from realdeg.reporting.content import Basis, Gallery, KernelField, Layer, Shot
from realdeg.reporting.encoding import Budget, packed
from realdeg.utils.html import Markup, join, tag
from realdeg.visualization.kernels import kernel_width
from realdeg.visualization.maps import region_colour, ruling_picture


def gallery(found: Gallery, number: int, budget: Budget) -> Markup:
    """Return a gallery: a slider over two versions, and all versions side by side.

    The pictures stand in the page as ordinary images, which a reader without scripts and a printer
    see as well; a script adds slider and magnifier.
    """
    shots = [_shot(shot, index, budget) for index, shot in enumerate(found.shots)]
    return tag(
        "section",
        tag("h3", found.title),
        tag("p", found.note),
        shots,
        class_="gallery",
        data_gallery=number,
        data_before=found.before,
        data_after=found.after,
    )


def _shot(shot: Shot, number: int, budget: Budget) -> Markup:
    height, width = max((layer.image.shape[:2] for layer in shot.layers), key=lambda s: s[0])
    figures = [_layer(layer, shot, (height, width), budget) for layer in shot.layers]
    where = f"{shot.key}, {shot.part}" if shot.part else shot.key
    return tag(
        "div",
        tag("h4", where),
        tag("div", figures, class_="layers"),
        class_="shot",
        data_shot=number,
        data_width=width,
        data_height=height,
    )


def _layer(layer: Layer, shot: Shot, size: tuple[int, int], budget: Budget) -> Markup:
    source = budget.picture(layer.image)
    caption = tag("figcaption", tag("b", layer.name), f" {layer.note}" if layer.note else None)
    if source is None:
        left = tag("p", "Left out: the page's limit of pictures is reached.", class_="absent")
        return tag("figure", left, caption, class_="layer")
    coarse = layer.image.shape[0] < size[0]
    alt = f"{layer.name} of {shot.key}" + (f", {layer.note}" if layer.note else "")
    picture = tag(
        "img",
        src=source,
        alt=alt,
        width=size[1],
        height=size[0],
        class_="coarse" if coarse else None,
    )
    return tag("figure", picture, caption, class_="layer", data_layer=layer.name)


def kernel_field(found: KernelField, number: int, budget: Budget) -> tuple[Markup, dict[str, Any]]:
    """Return an image to point at, and the kernels of its grid as data of the page."""
    models = {}
    for name, kernels in found.kernels.items():
        models[name] = {
            **packed(kernels, found.stride),
            "sums": [round(float(kernel.sum()), 4) for kernel in kernels],
            "widths": [round(kernel_width(kernel), 3) for kernel in kernels],
        }
    data = {"rows": found.rows, "columns": found.columns, "models": models}
    source = budget.picture(found.image)
    picture = (
        tag("img", src=source, alt=f"HR of {found.title}, from which kernels were predicted")
        if source
        else tag("p", "The image was left out: the page's limit of pictures is reached.")
    )
    box = tag(
        "div",
        tag("h4", found.title),
        tag("div", picture, class_="stage"),
        class_="kernels",
        data_kernels=number,
    )
    return box, data


def basis(found: Basis, number: int, budget: Budget) -> tuple[Markup, dict[str, Any]]:
    """Return the kernels of a basis, each with the map of its weights."""
    low, high = min(0.0, float(found.maps.min())), max(float(found.maps.max()), 1e-6)
    source = budget.picture(found.image)
    figures = []
    rules = budget.picture(ruling_picture(found.maps))
    if source is not None and rules is not None:
        image = tag("img", src=source, alt="HR")
        strongest = tag("img", src=rules, alt="which kernel has the largest weight, by colour")
        caption = tag("figcaption", tag("b", "HR"), ", and which kernel has the largest weight")
        figures.append(tag("figure", tag("div", image, strongest, class_="pair"), caption))
    for index, (kernel, weight) in enumerate(zip(found.kernels, found.maps, strict=True)):
        grey = np.clip((weight - low) / (high - low) * 255 + 0.5, 0, 255).astype(np.uint8)
        source = budget.picture(np.repeat(grey[..., None], 3, axis=2))
        share = f"mean weight {weight.mean():.2f}"
        words = f"sum {kernel.sum():.2f}, width {kernel_width(kernel):.2f} px, {share}"
        shown = (
            tag("img", src=source, alt=f"where kernel {index + 1} is used, {share}")
            if source
            else tag("p", "Left out: limit of pictures.", class_="absent")
        )
        drawn = tag("div", class_="kernel", data_basis=number, data_index=index)
        caption = tag("figcaption", _swatch(index), tag("b", f" {index + 1} "), words)
        figures.append(tag("figure", tag("div", drawn, shown, class_="pair"), caption))
    note = (
        "Each kernel beside the map of its weight. All maps share one scale of grey, from"
        f" {low:.2g} (black) to {high:.2g} (white)."
    )
    box = tag(
        "div",
        tag("h4", found.label),
        tag("p", note),
        tag("div", figures, class_="bases"),
        class_="basis",
    )
    return box, packed(found.kernels, found.stride)


def _swatch(index: int) -> Markup:
    fill = "#{:02x}{:02x}{:02x}".format(*region_colour(index))
    square = tag("rect", width=10, height=10, fill=fill)
    return tag("svg", square, width=10, height=10, aria_hidden="true")


def legend_of_kernels() -> Markup:
    """Return what the colours of a kernel mean."""
    return join(
        tag(
            "p",
            tag("span", class_="swatch positive"),
            " positive, ",
            tag("span", class_="swatch zero"),
            " zero, ",
            tag("span", class_="swatch negative"),
            " negative taps, by the square root of their size, so that faint ones are seen; the"
            " line is the contour of half the peak, the cross the LR pixel.",
            class_="legend",
        )
    )
