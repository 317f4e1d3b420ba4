"""The layout of the page, in Gradio. What its buttons do is in :mod:`.desk`."""

from __future__ import annotations

import functools
import html
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from realdeg.apis.previewing import sample_names
from realdeg.errors import RealdegError, first_line
from realdeg.registry import list_backbones
from realdeg.studio.desk import CONFIG_NAME, Desk, number_in, pair, part_in_words, place_of
from realdeg.studio.form_page import Form, add_form
from realdeg.studio.pictures import kernel_picture, noise_picture
from realdeg.studio.recipe import recipe_of
from realdeg.studio.session import LARGEST_SIDE, Place, Shot
from realdeg.studio.upscale import published
from realdeg.utils.memory import is_out_of_memory

logger = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])

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
# Gradio finds it among a function's defaults.
_PROGRESS = gr.Progress()
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


def guarded(function: F) -> F:
    """Have a function's errors shown as one sentence in the page.

    Args:
        function: An action of the page.
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except RealdegError as error:
            sentence = str(error)
        except Exception as error:
            sentence = f"memory ran out ({first_line(error)}): take a smaller image."
            if not is_out_of_memory(error):
                logger.exception("an action of the studio failed")
                sentence = (
                    f"this should not happen ({type(error).__name__}: {first_line(error)}); the"
                    " terminal of the studio shows where."
                )
        raise gr.Error(html.escape(sentence, quote=False), duration=None, print_exception=False)

    return wrapped  # type: ignore[return-value]


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
                    seed = _degrade_tab(page, desk, source, folder)
                with gr.Tab("Compare two", id="compare"):
                    _compare_tab(desk, source, seed)
                with gr.Tab("Upscale", id="upscale"):
                    _upscale_tab(desk, folder)
                with gr.Tab("Export", id="export"):
                    _export_tab(desk, form.text, seed, folder)
    page.queue(default_concurrency_limit=1, max_size=32)
    return page


def _photo_inputs() -> tuple[gr.File, gr.Dropdown, gr.Number]:
    gr.Markdown("### Photo")
    photo = gr.File(label="Drop a photo (HR)", file_types=["image"], type="filepath", height=140)
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
        label="Load a camera (.safetensors)",
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


def _degrade_tab(
    page: gr.Blocks, desk: gr.State, source: tuple[Any, ...], folder: Path
) -> gr.Number:
    photo, sample, side, text = source
    with gr.Row(elem_classes="tools"):
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, scale=1, min_width=100)
        go = gr.Button("Draw", variant="primary", scale=2)
        again = gr.Button("Next seed", scale=2)
        save = gr.DownloadButton("Save LR (PNG)", scale=2)
    slider = gr.ImageSlider(
        label="HR | LR, every pixel repeated",
        format="png",
        type="numpy",
        interactive=False,
        elem_id="pair",
        max_height=640,
    )
    with gr.Row():
        lr = gr.Image(
            label="LR: click a pixel",
            format="png",
            interactive=False,
            elem_id="lr_picture",
            buttons=["fullscreen"],
        )
        kernel = gr.Image(
            label="Kernel there",
            elem_id="kernel_picture",
            format="png",
            image_mode="RGBA",
            interactive=False,
            buttons=[],
        )
        noise = gr.Image(
            label="Noise around it",
            elem_id="noise_picture",
            format="png",
            image_mode="RGBA",
            interactive=False,
            buttons=[],
        )
    with gr.Row(elem_classes="tools"):
        row = gr.Number(0, label="LR row", precision=0, minimum=0, min_width=90)
        column = gr.Number(0, label="LR column", precision=0, minimum=0, min_width=90)
        look = gr.Button("Look there")
    there = gr.Markdown()
    with gr.Accordion("What was drawn: the trace", open=True):
        words = gr.Textbox(label="In words", lines=6, max_lines=16, elem_id="words")
        trace = gr.Textbox(
            label="As JSON; paste another one to replay it",
            lines=3,
            max_lines=8,
            elem_id="trace",
            max_length=1 << 23,
        )
        repeat = gr.Button("Replay this trace")

    shown = [desk, slider, lr, words, trace, row, column, kernel, noise, there]

    @guarded
    def draw(
        path: str | None, name: str | None, side: int, text: str, seed: int, own: Desk
    ) -> tuple[Any, ...]:
        return _shot(own, own.draw(path or name, side, text, seed))

    @guarded
    def next_seed(*given: Any) -> tuple[Any, ...]:
        number = int(given[4] or 0) + 1
        path, name, side, text, _, own = given
        return (number, *draw(path, name, side, text, number, own))

    @guarded
    def replay(
        path: str | None, name: str | None, side: int, text: str, trace: str, own: Desk
    ) -> tuple[Any, ...]:
        return _shot(own, own.replay(path or name, side, text, trace))

    @guarded
    def looked(row: int, column: int, own: Desk) -> tuple[Any, ...]:
        return _place(own.look(row, column))

    @guarded
    def pointed(own: Desk, event: gr.SelectData) -> tuple[Any, ...]:
        if own.shot is None:
            return (0, 0, *_place(own.look(0, 0)))
        row, column = place_of(own.shot, *event.index)
        return (row, column, *_place(own.look(row, column)))

    @guarded
    def saved(own: Desk) -> str:
        return str(own.save_lr(folder))

    given = [photo, sample, side, text]
    there_too = [kernel, noise, there]
    go.click(draw, [*given, seed, desk], shown, api_name="draw")
    again.click(next_seed, [*given, seed, desk], [seed, *shown], api_name="draw_again")
    photo.upload(draw, [*given, seed, desk], shown, api_visibility="private")
    sample.input(draw, [*given, seed, desk], shown, api_visibility="private")
    repeat.click(replay, [*given, trace, desk], shown, api_name="replay")
    look.click(looked, [row, column, desk], there_too, api_name="look")
    lr.select(pointed, [desk], [row, column, *there_too], api_visibility="private")
    save.click(saved, [desk], [save], api_name="save_lr")
    page.load(draw, [*given, seed, desk], shown, api_visibility="private")
    return seed


def _shot(own: Desk, shot: Shot) -> tuple[Any, ...]:
    hr, lr = pair(shot)
    row, column = (side // 2 for side in shot.lr.shape[:2])
    words = f"{shot.photo.name}, {part_in_words(shot.record.crop)}\n{shot.words}"
    looked = _place(own.look(row, column))
    return own, (hr, lr), lr, words, shot.trace_text, row, column, *looked


def _place(place: Place) -> tuple[Any, ...]:
    kernel = None if place.kernel is None else kernel_picture(place.kernel)
    notes = [f"LR pixel at row {place.row}, column {place.column}."]
    if place.kernel is None:
        notes.append("Its filter is not stated and has no derivative, so there is no kernel.")
    else:
        notes.append(
            "The kernel is that of all blurs and resizes; red is positive, blue negative, the line"
            " is half of the largest weight."
        )
    if place.sigma is None:
        notes.append("This degradation adds no noise.")
    return kernel, noise_picture(place), " ".join(notes)


def _compare_tab(desk: gr.State, source: tuple[Any, ...], seed: gr.Number) -> None:
    photo, sample, side, text = source
    gr.Markdown(
        "Keep the degradation on the left as A, change it or choose another one (B), and compare"
        " both on the same photo with the same seed."
    )
    with gr.Row():
        keep = gr.Button("Keep the present one as A")
        go = gr.Button("Compare A with the present one (B)", variant="primary")
    kept = gr.Code(label="A", language="yaml", interactive=False, lines=3)
    slider = gr.ImageSlider(
        label="A | B", format="png", interactive=False, elem_id="versus", max_height=640
    )
    table = gr.Markdown()

    @guarded
    def kept_now(text: str, own: Desk) -> tuple[Any, ...]:
        return own, own.keep(text).text

    @guarded
    def compared(
        path: str | None, name: str | None, side: int, text: str, seed: int, own: Desk
    ) -> tuple[Any, ...]:
        first, second, rows = own.compare(path or name, side, text, seed)
        one, other = pair(first)[1], pair(second)[1]
        height, width = (min(a, b) for a, b in zip(one.shape[:2], other.shape[:2], strict=True))
        return (one[:height, :width], other[:height, :width]), _table(rows)

    keep.click(kept_now, [text, desk], [desk, kept], api_name="keep")
    go.click(compared, [photo, sample, side, text, seed, desk], [slider, table], api_name="compare")


def _table(rows: Mapping[str, tuple[str, str]]) -> str:
    """Return a Markdown table of two columns."""
    cells = [(title, *both) for title, both in rows.items()]
    lines = [" | ".join(html.escape(cell).replace("|", "/") for cell in row) for row in cells]
    return "\n".join(("| | A | B |", "|---|---|---|", *(f"| {line} |" for line in lines)))


def _upscale_tab(desk: gr.State, folder: Path) -> None:
    with gr.Row():
        with gr.Column():
            image = gr.File(
                label="Image to upscale (none: the last LR image)",
                file_types=["image"],
                type="filepath",
                height=140,
            )
            network = gr.Dropdown(
                published(),
                value=None,
                label="Published network",
                info="its weights are fetched where they are not at hand",
                filterable=True,
            )
        with gr.Column():
            weights = gr.File(
                label="or weights of your own",
                file_types=[".safetensors", ".pth", ".pt", ".ckpt"],
                type="filepath",
                height=140,
            )
            kind = gr.Dropdown(
                ["", *list_backbones()],
                value="",
                label="Network of that file",
                info="only for files of other projects",
            )
            factor = gr.Textbox(
                label="Its scale", info="where the file does not tell", max_length=20
            )
    with gr.Row():
        tile = gr.Textbox("auto", label="Tile", info="auto, none or pixels", max_length=20)
        width = gr.Textbox(label="Blur told", info="sigma in HR pixels", max_length=20)
        level = gr.Textbox(label="Noise told", info="sigma of 255", max_length=20)
        ensemble = gr.Checkbox(label="Self-ensemble", info="mean of 8 passes")
    go = gr.Button("Upscale", variant="primary")
    words = gr.Markdown()
    slider = gr.ImageSlider(
        label="bicubic | network", format="png", interactive=False, max_height=720
    )
    result = gr.File(label="Result (PNG)", interactive=False, height=70)

    @guarded
    def run(
        image: str | None,
        network: str | None,
        weights: str | None,
        kind: str,
        factor: str,
        tile: str,
        width: str,
        level: str,
        ensemble: bool,
        own: Desk,
        progress: gr.Progress = _PROGRESS,
    ) -> tuple[Any, ...]:
        made = own.upscale(
            image,
            network,
            weights,
            kind or None,
            folder,
            scale=number_in(factor, "scale"),
            tile=tile,
            self_ensemble=ensemble,
            kernel_width=number_in(width, "blur"),
            noise=number_in(level, "noise"),
            progress=lambda done, total: progress((done, total), desc="upscaling"),
        )
        return (made.plain, made.made), html.escape(made.words), str(made.file)

    go.click(
        run,
        [image, network, weights, kind, factor, tile, width, level, ensemble, desk],
        [slider, words, result],
        api_name="upscale",
    )


def _export_tab(desk: gr.State, text: gr.Code, seed: gr.Number, folder: Path) -> None:
    gr.Markdown(
        "The same degradation elsewhere: the config for every command and recipe, and the Python"
        " that makes the LR image of this seed, bit for bit. A loaded camera's file belongs beside"
        " them."
    )
    go = gr.Button("Write config and Python", variant="primary")
    config = gr.Code(label=CONFIG_NAME, language="yaml", interactive=False)
    python = gr.Code(label="Python", language="python", interactive=False)
    commands = gr.Code(label="Commands", language="shell", interactive=False)
    files = gr.File(label="Files", interactive=False, file_count="multiple", height=140)

    @guarded
    def export(text: str, seed: int, own: Desk) -> tuple[Any, ...]:
        made = own.export(text, seed, folder)
        return made.config, made.python, made.commands, [str(file) for file in made.files]

    go.click(export, [text, seed, desk], [config, python, commands, files], api_name="export")
