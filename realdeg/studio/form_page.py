"""The form of a degradation, in Gradio: steps in an order, each with fields from its signature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from realdeg.config import list_configs
from realdeg.errors import ConfigError
from realdeg.registry import DEGRADATIONS
from realdeg.studio.desk import FROM_CONFIG, Desk
from realdeg.studio.forms import Field, chosen, fields_of
from realdeg.studio.recipe import ORDERS, Recipe, kinds_of_step, read_recipe

Guard = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True)
class Form:
    """The components that show a recipe.

    Attributes:
        text: The recipe as YAML, the page's only copy.
        rendered: The text that the fields were made for; a change makes them anew.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.
        order: How several steps are combined.
    """

    text: gr.Code
    rendered: gr.State
    scale: gr.Number
    same_size: gr.Checkbox
    order: gr.Dropdown

    @property
    def outputs(self) -> list[Any]:
        """The components, in the order of :meth:`shown`."""
        return [self.text, self.rendered, self.scale, self.same_size, self.order]

    def shown(self, recipe: Recipe) -> tuple[Any, ...]:
        """Return the values of the components for a recipe.

        Args:
            recipe: The recipe.
        """
        several = len(recipe.steps) > 1
        order = gr.update(value=recipe.order, visible=several)
        return recipe.text, recipe.text, recipe.scale, bool(recipe.same_size), order

    def unchanged(self) -> tuple[Any, ...]:
        """Return values that leave the components as they are."""
        return tuple(gr.skip() for _ in self.outputs)


def add_form(start: Recipe, guarded: Guard) -> Form:
    """Lay out the form of a degradation.

    Args:
        start: The recipe that it shows first.
        guarded: Wraps actions so that their errors are shown.
    """
    gr.Markdown("### Degradation")
    names = [name for name in list_configs() if not name.endswith("_cpu")]
    entries = [*kinds_of_step(), *((FROM_CONFIG + name,) * 2 for name in names)]
    begin = gr.Dropdown(
        entries,
        value=None,
        label="Start from",
        info="a registered one, or that of a recipe",
        filterable=True,
    )
    with gr.Row(equal_height=True):
        scale = gr.Number(start.scale, label="Scale", minimum=1, maximum=16, min_width=80)
        same_size = gr.Checkbox(bool(start.same_size), label="LR on the HR grid", min_width=120)
    order = gr.Dropdown(
        [(words, name) for name, words in ORDERS.items()],
        value=start.order,
        label="The steps are",
        visible=len(start.steps) > 1,
    )
    steps = gr.Column()
    with gr.Row(elem_classes="tools"):
        kind = gr.Dropdown(kinds_of_step(), value="AWGN", label="Another step", scale=3)
        add = gr.Button("Add it", scale=1, min_width=90)
    with gr.Accordion("Config (edit it here as well)", open=False):
        text = gr.Code(start.text, language="yaml", label="YAML", interactive=True, lines=4)
    rendered = gr.State(start.text)
    form = Form(text, rendered, scale, same_size, order)

    with steps:

        def show_steps(shown: str) -> None:
            try:
                recipe = read_recipe(shown)
            except ConfigError as error:
                gr.Markdown(f"The config cannot be shown as a form: {error}")
                return
            for index in range(len(recipe.steps)):
                _show_step(form, recipe, index, guarded)

        gr.render(inputs=[rendered])(show_steps)

    @guarded
    def started(entry: str | None, text: str) -> tuple[Any, ...]:
        return form.shown(Desk().start_from(entry, text)) if entry else form.unchanged()

    @guarded
    def edited(text: str) -> tuple[Any, ...]:
        return form.shown(read_recipe(text))

    @guarded
    def added(kind: str, text: str) -> tuple[Any, ...]:
        recipe = read_recipe(text)
        return form.shown(recipe.with_steps([*recipe.steps, {"type": kind}]))

    @guarded
    def set_geometry(scale: float | None, same_size: bool, order: str, text: str) -> str:
        recipe = read_recipe(text)
        number = None if scale is None else int(scale) if float(scale).is_integer() else scale
        rest = recipe.rest if order == recipe.order else {}
        return Recipe(recipe.steps, order, number, same_size, rest).text

    begin.input(started, [begin, text], form.outputs, api_name="start_from")
    add.click(added, [kind, text], form.outputs, api_name="add_step")
    text.blur(edited, [text], form.outputs, api_visibility="private")
    for one in (scale, same_size, order):
        one.input(set_geometry, [scale, same_size, order, text], [text], api_visibility="private")
    return form


def _show_step(form: Form, recipe: Recipe, index: int, guarded: Guard) -> None:
    step = recipe.steps[index]
    name = str(step.get("type") or step["checkpoint"])
    last = len(recipe.steps) - 1
    with gr.Accordion(f"{index + 1}. {name}", open=last == 0, key=f"step-{index}-{name}-{last}"):
        if last:
            with gr.Row(elem_classes="step_buttons"):
                _structural(form, "↑ Earlier", lambda r: r.moved(index, -1), index > 0, guarded)
                _structural(form, "↓ Later", lambda r: r.moved(index, 1), index < last, guarded)
                _structural(form, "Remove", lambda r: r.without(index), True, guarded)
        if "type" not in step:
            gr.Markdown("A loaded camera: its file states all of its settings.")
            return
        component = DEGRADATIONS.require(str(step["type"]))
        summary = (component.__doc__ or "").strip().partition("\n")[0]
        gr.Markdown(summary.replace("``", "`"))
        fields = fields_of(component)
        inputs = [_components(one, step) for one in fields]
    flat = [one for several in inputs for one in several]

    @guarded
    def changed(text: str, *entered: Any) -> str:
        left = list(entered)
        values = {}
        for field, several in zip(fields, inputs, strict=True):
            given = [left.pop(0) for _ in several]
            value = field.read(given if len(given) > 1 else given[0])
            if not (field.required and value is None):
                values[field.name] = value
        return read_recipe(text).changed(index, chosen(fields, values)).text

    for one in flat:
        happened = one.blur if isinstance(one, gr.Textbox) else one.input
        happened(
            changed,
            [form.text, *flat],
            [form.text],
            api_visibility="private",
            show_progress="hidden",
        )


def _structural(
    form: Form, label: str, change: Callable[[Recipe], Recipe], usable: bool, guarded: Guard
) -> None:
    button = gr.Button(label, size="sm", min_width=70, interactive=usable)

    @guarded
    def pressed(text: str) -> tuple[Any, ...]:
        return form.shown(change(read_recipe(text)))

    button.click(pressed, [form.text], form.outputs, api_visibility="private")


def _components(field: Field, step: Any) -> list[Any]:
    """Return the inputs of one argument: one, or two for a range."""
    value = field.shown(step.get(field.name, field.default))
    label = field.name.replace("_", " ")
    # Left out, Gradio (6.31) shows fields that are made while the page is open as disabled.
    shown: dict[str, Any] = {"info": field.help or None, "interactive": True}
    if field.kind == "switch":
        return [gr.Checkbox(bool(value), label=label, **shown)]
    if field.kind == "choice":
        return [gr.Dropdown(field.menu, value=value, label=label, **shown)]
    if field.kind == "data":
        return [gr.Textbox(value, label=label, **shown, placeholder="YAML", max_length=20_000)]
    shown |= {"minimum": field.low, "maximum": field.high}
    shown["precision"] = 0 if field.whole else None
    if field.kind == "number":
        return [gr.Number(value, label=label, **shown)]
    with gr.Row():
        return [
            gr.Number(value[0], label=f"{label}: from", min_width=110, **shown),
            gr.Number(value[1], label="to", min_width=110, **{**shown, "info": " "}),
        ]
