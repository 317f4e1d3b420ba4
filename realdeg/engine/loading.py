"""How a runner takes up weights and training states, and writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import EMAHook, Hook

from realdeg.engine.checkpoint import (
    check_training,
    newest_readable,
    read_checkpoint,
    write_checkpoint,
)
from realdeg.engine.setup import describe_setup
from realdeg.engine.state import bare, collect_state, component_of, restore_training
from realdeg.engine.weights import COMPONENT_SUFFIX, own_component, read_weights_of
from realdeg.errors import CheckpointError, GeometryError, first_line
from realdeg.utils.component import load_state, plain


class LoadsCheckpoints:
    """What replaces mmengine's loading and saving in the runner: strict, safe and whole."""

    # Set by the runner.
    _training: bool
    _has_loaded: bool
    _load_from: str | None
    _resume: bool
    _exactly: bool
    setup: dict[str, Any]
    hooks: list[Hook]
    loaded_from: str
    model: Any
    logger: Any
    optim_wrapper: Any
    param_schedulers: Any
    train_loop: Any
    work_dir: str
    seed: int
    iter: int
    say: Callable[..., None]
    call_hook: Callable[..., None]
    build_optim_wrapper: Callable[..., Any]
    build_param_scheduler: Callable[..., Any]

    def load_or_resume(self) -> None:
        """Load the weights, or the whole training state, that the config asks for."""
        if self._has_loaded:
            return
        if self._training:
            self.setup = describe_setup(self)  # type: ignore[arg-type]
        state: dict[str, Any] | None = None
        path = None if self._load_from is None else Path(self._load_from)
        if self._resume and not (self._exactly and path) and self._own_first(path):
            found = newest_readable(Path(self.work_dir))
            if found is not None:
                path, state, skipped = found
                for sentence in skipped:
                    self.logger.warning("skipped: %s", sentence)
        if path is None:
            if self._resume:
                self.say("nothing to resume in %s: starting at iteration 0", self.work_dir)
            return
        if self._resume and self._training:
            if path.suffix == COMPONENT_SUFFIX:
                raise CheckpointError(
                    f"{path} holds weights but no training state: resume from an iter_N.pth, or"
                    f" start anew from the weights with load_from={path}."
                )
            self._restore(path, state or read_checkpoint(path))
        else:
            self._load_weights(path, state)
        self._has_loaded = True
        self.loaded_from = str(path)

    def go_on_from(self, path: str) -> None:
        """Resume from exactly this checkpoint when the training starts.

        Without it, ``resume`` takes the newest checkpoint of the work dir, whatever the config's
        ``load_from`` says that the run once began with.

        Args:
            path: The ``.pth`` file.
        """
        self._load_from, self._resume, self._exactly = str(path), True, True

    def _own_first(self, path: Path | None) -> bool:
        # A checkpoint of the work dir itself is named on purpose: to go back to it.
        own = Path(self.work_dir).resolve()
        return path is None or path.resolve().parent != own

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: str | Callable = "cpu",
    ) -> None:
        """Go on from a checkpoint.

        Args:
            filename: The ``.pth`` file.
            resume_optimizer: Kept for mmengine; optimiser and schedulers always come back.
            resume_param_scheduler: As above.
            map_location: Kept for mmengine; files are read on the CPU.
        """
        self._restore(Path(filename), read_checkpoint(Path(filename)))
        self._has_loaded = True

    def _restore(self, path: Path, state: dict[str, Any]) -> None:
        iteration = check_training(path, state)
        note = self._differing_arguments(state["meta"], path)
        changed = self._match_averaging(state)
        self._tell_hooks(state, path)
        load_state(bare(self.model), state["state_dict"], str(path))
        if note:
            self.logger.warning(note)
        self.train_loop._iter = iteration
        seed = state["meta"].get("seed")
        if seed != self.seed:
            self.logger.warning(
                "the run in %s had seed %s, this one has %s: the data differ from here on",
                path,
                seed,
                self.seed,
            )
        self.optim_wrapper = self.build_optim_wrapper(self.optim_wrapper)
        if self.param_schedulers is not None:
            self.param_schedulers = self.build_param_scheduler(self.param_schedulers)
        changed += restore_training(self, state, str(path))  # type: ignore[arg-type]
        self.say("resumed from %s at iteration %d", path, iteration)
        for line in changed:
            self.say("changed since: %s", line)
        if iteration >= self.train_loop.max_iters:
            self.say(
                "iteration %d is the end that the config says (train_cfg.max_iters = %d): nothing"
                " is left to train",
                iteration,
                self.train_loop.max_iters,
            )

    def _match_averaging(self, state: dict[str, Any]) -> list[str]:
        """Let the raw weights go on where the config no longer averages them."""
        averages = any(isinstance(hook, EMAHook) for hook in self.hooks)
        saved = state.get("ema_state_dict")
        if averages == isinstance(saved, Mapping):
            return []
        if averages:
            return ["custom_hooks: EMAHook, was none: the averages begin with these weights"]
        raw = {
            name.removeprefix("module."): value
            for name, value in dict(saved or {}).items()
            if str(name).startswith("module.")
        }
        state["state_dict"] = {**state["state_dict"], **raw}
        return ["custom_hooks: no EMAHook, was one: the weights that were averaged go on"]

    def _tell_hooks(self, state: dict[str, Any], path: Path) -> None:
        try:
            self.call_hook("after_load_checkpoint", checkpoint=state)
        except (RuntimeError, KeyError, AttributeError, TypeError) as error:
            if "ema_state_dict" not in state:
                raise
            raise CheckpointError(
                f"the averaged weights ('ema_state_dict') in {path} do not fit this model"
                f" ({first_line(error)}): take another checkpoint."
            ) from error

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = "cpu",
        strict: bool = True,
        revise_keys: list[tuple[str, str]] | None = None,
    ) -> dict[str, Any]:
        """Load weights into the model; always strictly.

        Args:
            filename: A checkpoint, a state dict, a self-describing ``.safetensors`` file of the
                component that the task trains, or a file of another project with the weights of
                its backbone.
            map_location: Kept for mmengine; files are read on the CPU.
            strict: Kept for mmengine.
            revise_keys: Kept for mmengine.

        Returns:
            What was loaded.
        """
        return self._load_weights(Path(filename), None)

    def _load_weights(self, path: Path, state: dict[str, Any] | None) -> dict[str, Any]:
        model = bare(self.model)
        own = own_component(model, path) if state is None else None
        if own is not None:
            module, file = own
            note = self._differing_arguments({"component": {"arguments": file.arguments}}, path)
            load_state(module, file.state, str(path))
            state = {"state_dict": dict(model.state_dict()), "meta": file.meta}
        else:
            state = read_weights_of(model, path) if state is None else state
            note = self._differing_arguments(state.get("meta"), path)
        self._tell_hooks(state, path)
        load_state(model, state["state_dict"], str(path))
        if note:
            self.logger.warning(note)
        self._has_loaded = True
        self.say("loaded %s", path)
        return state

    def _differing_arguments(self, meta: Any, path: Path) -> str:
        """Refuse weights of another geometry; return a sentence on other arguments that differ.

        Weights that are only a start for another training may be of any geometry.
        """
        found = component_of(self.model)
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
        text = ", ".join(f"{key}={stored[key]!r} instead of {own[key]!r}" for key in differ)
        start = self._training and not self._resume
        if not start and {"scale", "same_size"} & set(differ):
            raise GeometryError(
                f"the {found[0]} in {path} was trained with {text}: take the weights or the config"
                " of the other geometry.",
                fits=(stored.get("scale", own.get("scale")), stored.get("same_size", False)),
            )
        return f"the {found[0]} in {path} was trained with {text}" if text else ""

    @master_only
    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        *args: Any,
        iteration: int | None = None,
        training: bool = True,
        **kwargs: Any,
    ) -> None:
        """Save a checkpoint, whole or not at all.

        Args:
            out_dir: The folder.
            filename: The file's name.
            *args: Ignored; mmengine's.
            iteration: How many iterations are done; None takes the loop's count.
            training: Also save optimiser, schedulers and message hub.
            **kwargs: Ignored; mmengine's.

        Raises:
            OutputError: If it cannot be written; an older file of that name is then untouched.
        """
        done = self.iter if iteration is None else iteration
        write_checkpoint(Path(out_dir) / filename, collect_state(self, done, training))
