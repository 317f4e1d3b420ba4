"""The layout of the page, in Gradio. What its buttons do is in :mod:`.desk`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from realdeg.apis.previewing import sample_names
from realdeg.studio.desk import Desk
from realdeg.studio.draw_page import add_degrade_tab
from realdeg.studio.form_page import Form, add_form
from realdeg.studio.guard import guarded
from realdeg.studio.recipe import recipe_of
from realdeg.studio.session import LARGEST_SIDE
from realdeg.studio.use_page import add_compare_tab, add_export_tab, add_upscale_tab

_START = recipe_of(
    {
        "degradation": {
            "type": "Compose",
            "parts": [
                {"type": "BlurDown", "kind": "DAN"},
                {"type": "AWGN", "sigma": 5.0},
                {"type": "JPEG", "quality": [60, 95]},
            ],
        },
        "scale": 4,
        "same_size": False,
    }
)
_FIRST_PHOTO = "sample/coffee"
_SIDE = 384
_FONT = ["system-ui", "sans-serif"]

STYLE = """
.gradio-container { max-width: 1500px !important; margin: 0 auto; }
#title h1 { margin: 0; font-size: 1.35rem; }
#title p { margin: 0; opacity: .75; }
.tools { align-items: flex-end; }
.tools button { height: 2.6rem; }
#lr_picture, #kernel_picture, #noise_picture { padding-top: 2rem; }
#pair img, #versus img, #lr_picture img { image-rendering: pixelated; }
#lr_picture img { cursor: crosshair; }
#words textarea, #trace textarea { font-family: ui-monospace, monospace; font-size: .8rem; }
.step_buttons { gap: .4rem; }
"""


def theme() -> gr.themes.Base:
    """Return a theme with the fonts of the machine: a page must not fetch any."""
    return gr.themes.Default(
        primary_hue="blue", neutral_hue="slate", font=_FONT, font_mono=["ui-monospace", "monospace"]
    )


def build_page(folder: Path) -> gr.Blocks:
    """Return the page.

    Args:
        folder: Where results are written for download.
    """
    with gr.Blocks(
        title="realdeg studio", analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400)
    ) as page:
        desk = gr.State(Desk())
        gr.Markdown(
            "# realdeg studio\nWhat a degradation does to a photo: build it, look at it, take it"
            " with you.",
            elem_id="title",
        )
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=380):
                photo, sample, side = _photo_inputs()
                form = add_form(_START, guarded)
                _camera_input(desk, form)
            with gr.Column(scale=7, min_width=480), gr.Tabs():
                source = (photo, sample, side, form.text)
                with gr.Tab("Degrade", id="degrade"):
                    seed = add_degrade_tab(page, desk, source, folder)
                with gr.Tab("Compare two", id="compare"):
                    add_compare_tab(desk, source, seed)
                with gr.Tab("Upscale", id="upscale"):
                    add_upscale_tab(desk, folder)
                with gr.Tab("Export", id="export"):
                    add_export_tab(desk, form.text, seed, folder)
    page.queue(default_concurrency_limit=1, max_size=32)
    return page


def _photo_inputs() -> tuple[gr.File, gr.Dropdown, gr.Number]:
    gr.Markdown("### Photo")
    photo = gr.File(
        label="Drop a photo (HR)",
        file_types=["image"],
        type="filepath",
        height=140,
        elem_id="photo",
    )
    with gr.Row():
        sample = gr.Dropdown(sample_names(), value=_FIRST_PHOTO, label="or a built-in image")
        side = gr.Number(
            _SIDE,
            label="Part, pixels",
            info="the most detailed square",
            precision=0,
            minimum=16,
            maximum=LARGEST_SIDE,
        )
    return photo, sample, side


def _camera_input(desk: gr.State, form: Form) -> None:
    camera = gr.File(
        label="Load a camera: camera.safetensors of `realdeg fit`, or a run's .safetensors",
        file_types=[".safetensors"],
        type="filepath",
        height=140,
    )

    @guarded
    def load(path: str | None, own: Desk) -> tuple[Any, ...]:
        if path is None:
            return (own, *form.unchanged())
        return (own, *form.shown(own.load_camera(path)))

    camera.change(load, [camera, desk], [desk, *form.outputs], api_name="load_camera")
