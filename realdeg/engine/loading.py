"""Load weights and training states into a runner, from files of realdeg and other projects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.hooks import EMAHook
from torch import Tensor, nn

from realdeg.engine.checkpoint import check_training, newest_readable, read_checkpoint
from realdeg.engine.setup import describe_setup, named_schedulers
from realdeg.engine.state import component_of, restore_training, unwrapped
from realdeg.errors import CheckpointError, ConfigError, GeometryError, first_line
from realdeg.utils.component import (
    ComponentFile,
    describes_itself,
    load_state,
    plain,
    read_component,
)
from realdeg.utils.mmengine_internals import is_resuming, set_iteration

if TYPE_CHECKING:
    from realdeg.engine.runner import RealdegRunner

COMPONENT_SUFFIX = ".safetensors"


def load_or_resume(runner: RealdegRunner) -> None:
    """Load the weights, or the whole training state, that a runner was asked to start from.

    Args:
        runner: Its ``load_from``, ``resume`` and ``resume_exactly`` state what to load. Its
            optimisers and schedulers are built.

    Raises:
        CheckpointError: If a file cannot be read or does not fit.
        GeometryError: If weights to resume or test have another geometry.
    """
    if runner.training:
        for _, items in named_schedulers(runner.param_schedulers):
            for item in items:
                if not hasattr(item, "by_epoch"):  # a function returned something else
                    raise ConfigError(
                        f"'param_scheduler' makes {item!r:.80}, which is not a scheduler."
                    )
        runner.setup = describe_setup(runner)
    state: dict[str, Any] | None = None
    path = None if runner.load_from is None else Path(runner.load_from)
    if is_resuming(runner) and not (runner.resume_exactly and path) and _is_elsewhere(runner, path):
        found = newest_readable(Path(runner.work_dir))
        if found is not None:
            path, state, skipped = found
            for sentence in skipped:
                runner.logger.warning("skipped: %s", sentence)
    if path is None:
        if is_resuming(runner):
            runner.say("nothing to resume in %s: starting at iteration 0", runner.work_dir)
    elif not (is_resuming(runner) and runner.training):
        load_weights(runner, path, state)
    elif path.suffix == COMPONENT_SUFFIX:
        raise CheckpointError(
            f"{path} holds weights but no training state: resume from an iter_N.pth, or"
            f" restart from the weights with load_from={path}."
        )
    else:
        restore(runner, path, state)


def _is_elsewhere(runner: RealdegRunner, path: Path | None) -> bool:
    # Naming a checkpoint of the work dir itself means to go back to it.
    return path is None or path.resolve().parent != Path(runner.work_dir).resolve()


def restore(runner: RealdegRunner, path: Path, state: dict[str, Any] | None = None) -> None:
    """Restore a runner to the state in a checkpoint.

    Args:
        runner: The runner; its optimisers and schedulers may be built or not.
        path: The checkpoint.
        state: Its contents, if it was read before.

    Raises:
        CheckpointError: If it cannot be read, or belongs to another model or optimiser.
    """
    state = read_checkpoint(path) if state is None else state
    iteration = check_training(path, state)
    note = _differing_arguments(runner, state["meta"], path)
    changed = _match_averaging(runner, state)
    _notify_hooks(runner, state, path)
    load_state(unwrapped(runner.model), state["state_dict"], str(path))
    if note:
        runner.logger.warning(note)
    set_iteration(runner.train_loop, iteration)
    seed = state["meta"].get("seed")
    if seed != runner.seed:
        runner.logger.warning(
            "the run in %s had seed %s, this one has %s: the data differ from here on",
            path,
            seed,
            runner.seed,
        )
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    if runner.param_schedulers is not None:
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    changed += restore_training(runner, state, str(path))
    runner.loaded_from = str(path)
    runner.say("resumed from %s at iteration %d", path, iteration)
    for line in changed:
        runner.say("changed since: %s", line)
    if iteration >= runner.train_loop.max_iters:
        runner.say(
            "iteration %d is the last one of the config (train_cfg.max_iters = %d): nothing is left"
            " to train",
            iteration,
            runner.train_loop.max_iters,
        )


def _match_averaging(runner: RealdegRunner, state: dict[str, Any]) -> list[str]:
    """Continue with the raw weights where the config no longer averages them."""
    averages = any(isinstance(hook, EMAHook) for hook in runner.hooks)
    saved = state.get("ema_state_dict")
    if averages == isinstance(saved, Mapping):
        return []
    if averages:
        return ["custom_hooks: EMAHook, was none: the averages start from these weights"]
    raw = {
        name.removeprefix("module."): value
        for name, value in dict(saved or {}).items()
        if str(name).startswith("module.")
    }
    state["state_dict"] = {**state["state_dict"], **raw}
    return [
        "custom_hooks: no EMAHook, was one: training continues with the weights before averaging"
    ]


def _notify_hooks(runner: RealdegRunner, state: dict[str, Any], path: Path) -> None:
    try:
        runner.call_hook("after_load_checkpoint", checkpoint=state)
    except (RuntimeError, KeyError, AttributeError, TypeError) as error:
        if "ema_state_dict" not in state:
            raise
        raise CheckpointError(
            f"the averaged weights ('ema_state_dict') in {path} do not fit this model"
            f" ({first_line(error)}): take another checkpoint."
        ) from error


def load_weights(
    runner: RealdegRunner, path: Path, state: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Load weights into a runner's model; all of them must fit.

    Args:
        runner: The runner; its hooks are called before the weights go into its task.
        path: A checkpoint, or weights of any format.
        state: Its contents, if it was read before.

    Returns:
        What was loaded, with ``state_dict`` and ``meta``.

    Raises:
        CheckpointError: If the file cannot be read, or holds no weights for this task.
        GeometryError: If the weights have another geometry and are not only a start.
    """
    model = unwrapped(runner.model)
    own = own_component(model, path) if state is None else None
    if own is not None:
        module, file = own
        note = _differing_arguments(runner, {"component": {"arguments": file.arguments}}, path)
        load_state(module, file.state, str(path))
        state = {"state_dict": dict(model.state_dict()), "meta": file.meta}
    else:
        state = read_weights_of(model, path) if state is None else state
        note = _differing_arguments(runner, state.get("meta"), path)
    _notify_hooks(runner, state, path)
    load_state(model, state["state_dict"], str(path))
    if note:
        runner.logger.warning(note)
    runner.loaded_from = str(path)
    runner.say("loaded %s", path)
    return state


def _differing_arguments(runner: RealdegRunner, meta: Any, path: Path) -> str:
    """Refuse weights of another geometry, and describe other arguments that differ.

    Weights from which another training starts may have any geometry.
    """
    found = component_of(runner.model)
    component = meta.get("component") if isinstance(meta, Mapping) else None
    stored = component.get("arguments") if isinstance(component, Mapping) else None
    if found is None or not isinstance(stored, Mapping):
        return ""
    try:
        own = plain(dict(getattr(found[1], "arguments", {})))
    except TypeError:  # built from objects rather than from a config
        return ""
    differ = [key for key in stored if key in own and plain(stored[key]) != own[key]]
    if "scale" in differ and getattr(found[1], "any_scale", False):
        differ.remove("scale")  # such weights serve every scale
    if not getattr(found[1], "fixed_geometry", True):
        differ = [key for key in differ if key not in ("scale", "same_size")]
    text = ", ".join(f"{key}={stored[key]!r} instead of {own[key]!r}" for key in differ)
    start = runner.training and not is_resuming(runner)
    if not start and {"scale", "same_size"} & set(differ):
        raise GeometryError(
            f"the {found[0]} in {path} was trained with {text}: use weights and a config of the"
            " same geometry.",
            fits=(stored.get("scale", own.get("scale")), stored.get("same_size", False)),
        )
    return f"the {found[0]} in {path} was trained with {text}" if text else ""


def own_component(model: nn.Module, path: Path) -> tuple[nn.Module, ComponentFile] | None:
    """Read a self-describing file of the component that a task trains.

    Args:
        model: The task, without its wrapper.
        path: A file of weights; only ``.safetensors`` can describe itself.

    Returns:
        The component before loading, and the file's contents; None for a file of another kind.

    Raises:
        CheckpointError: If it is damaged, or holds a component that the task does not train.
    """
    if path.suffix != COMPONENT_SUFFIX or (path.is_file() and not describes_itself(path)):
        return None
    component, file = component_of(model), read_component(path)
    if component is None or component[0] != file.kind:
        wanted = component[0] if component else "no component"
        raise CheckpointError(
            f"{path} holds a {file.kind}, but the task of this config works with"
            f" {wanted}: use other weights or another config."
        )
    return component[1], file


def read_weights_of(model: nn.Module, path: Path) -> dict[str, Any]:
    """Read the weights of a whole task.

    Args:
        model: The task, without its wrapper.
        path: A training checkpoint, a state dict of the task, or any file that holds the weights
            of its backbone (BasicSR's ``params_ema``, a MatConvNet network, and everything else
            that ``convert_weights`` reads).

    Returns:
        ``state_dict``, for the task to load strictly, and ``meta``.

    Raises:
        CheckpointError: If the file is damaged, or holds no weights for this task.
    """
    if path.suffix.lower() in (COMPONENT_SUFFIX, ".mat", ".caffemodel", ".param"):
        return _read_foreign(model, path)
    try:
        found: dict[str, Any] = read_checkpoint(path)
    except CheckpointError:
        # Perhaps a pickled network. A missing or empty file is not read twice.
        if _backbone_of(model) is None or not path.is_file() or path.stat().st_size == 0:
            raise
        return _read_foreign(model, path)
    state = found.get("state_dict", found)
    ours = "meta" in found or _backbone_of(model) is None or set(state) & set(model.state_dict())
    if _is_state(state) and ours:
        meta = found.get("meta") if state is not found else None
        others = {} if state is found else found
        return {**others, "state_dict": state, "meta": meta if isinstance(meta, Mapping) else {}}
    return _read_foreign(model, path, found)


def _read_foreign(
    model: nn.Module, path: Path, held: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    backbone = _backbone_of(model)
    if backbone is None:
        raise CheckpointError(_no_weights(model, path, held))
    from realdeg.backbones import load_weights

    former = {name: value.clone() for name, value in backbone.state_dict().items()}
    try:
        load_weights(backbone, path)
    except CheckpointError as error:
        raise CheckpointError(
            f"{str(error).rstrip('.')}. Give weights of another project as backbone.checkpoint=FILE"
            " beside the type of their network, or convert them by `realdeg convert_weights` to a"
            " file that describes itself."
        ) from error
    state = {name: value.clone() for name, value in backbone.state_dict().items()}
    backbone.load_state_dict(former)  # the caller loads, strictly and after its own checks
    return {"state_dict": _filled(model, state), "meta": {}}


def _no_weights(model: nn.Module, path: Path, held: Mapping[str, Any] | None) -> str:
    found = component_of(model)
    keys = ", ".join(sorted(map(str, held or ()))[:5])
    return (
        f"{path} holds no weights of {type(model).__name__}{f' (found {keys})' if keys else ''}:"
        f" give a checkpoint iter_N.pth, or the {found[0] if found else 'component'}.safetensors"
        " beside it."
    )


def _filled(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a task's state dict with the given state of its component."""
    found = component_of(model)
    assert found is not None  # checked before
    prefix = f"{found[0]}."
    whole = {k: v for k, v in model.state_dict().items() if not k.startswith(prefix)}
    return {**whole, **{f"{prefix}{name}": value for name, value in state.items()}}


def _backbone_of(model: nn.Module) -> Any:
    from realdeg.backbones.base import Backbone

    found = component_of(model)
    return found[1] if found is not None and isinstance(found[1], Backbone) else None


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())
    )
