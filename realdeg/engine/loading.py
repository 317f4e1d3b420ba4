"""How a runner takes up weights and training states, and writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import master_only

from realdeg.engine.checkpoint import newest_readable, read_checkpoint, write_checkpoint
from realdeg.engine.state import bare, collect_state, component_of, restore_training
from realdeg.errors import CheckpointError, GeometryError
from realdeg.utils.component import load_state, plain, read_component

_COMPONENT_SUFFIX = ".safetensors"


class LoadsCheckpoints:
    """What replaces mmengine's loading and saving in the runner: strict, safe and whole."""

    # Set by the runner.
    _training: bool
    _has_loaded: bool
    _load_from: str | None
    _resume: bool
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
        state: dict[str, Any] | None = None
        path: Path | None = None
        skipped: list[str] = []
        if self._load_from is not None:
            path = Path(self._load_from)
        elif self._resume:
            found = newest_readable(Path(self.work_dir))
            if found is None:
                self.say("nothing to resume in %s: starting at iteration 0", self.work_dir)
                return
            path, state, skipped = found
        if path is None:
            return
        for sentence in skipped:
            self.logger.warning("skipped: %s", sentence)
        if self._resume and self._training:
            if path.suffix == _COMPONENT_SUFFIX:
                raise CheckpointError(
                    f"{path} holds weights but no training state: resume from an iter_N.pth, or"
                    f" start anew from the weights with load_from={path}."
                )
            self._restore(path, state or read_checkpoint(path))
        else:
            self._load_weights(path, state)
        self._has_loaded = True
        self.loaded_from = str(path)

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
        if "meta" not in state or "state_dict" not in state:
            raise CheckpointError(
                f"{path} is no training checkpoint: resume from an iter_N.pth, or start anew from"
                f" its weights with load_from={path}."
            )
        note = self._differing_arguments(state["meta"], path)
        self.call_hook("after_load_checkpoint", checkpoint=state)
        load_state(bare(self.model), state["state_dict"], str(path))
        if note:
            self.logger.warning(note)
        iteration = int(state["meta"]["iter"])
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
        restore_training(self, state, str(path))
        self.say("resumed from %s at iteration %d", path, iteration)

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = "cpu",
        strict: bool = True,
        revise_keys: list[tuple[str, str]] | None = None,
    ) -> dict[str, Any]:
        """Load weights into the model; always strictly.

        Args:
            filename: A checkpoint, a state dict, or a self-describing ``.safetensors`` file of the
                component that the task trains.
            map_location: Kept for mmengine; files are read on the CPU.
            strict: Kept for mmengine.
            revise_keys: Kept for mmengine.

        Returns:
            What was loaded.
        """
        return self._load_weights(Path(filename), None)

    def _load_weights(self, path: Path, state: dict[str, Any] | None) -> dict[str, Any]:
        model = bare(self.model)
        if path.suffix == _COMPONENT_SUFFIX:
            component, file = component_of(model), read_component(path)
            if component is None or component[0] != file.kind:
                wanted = component[0] if component else "no component"
                raise CheckpointError(
                    f"{path} holds a {file.kind}, but the task of this config works with"
                    f" {wanted}: take other weights or another config."
                )
            note = self._differing_arguments({"component": {"arguments": file.arguments}}, path)
            load_state(component[1], file.state, str(path))
            state = {"state_dict": dict(model.state_dict()), "meta": file.meta}
        else:
            state = read_checkpoint(path) if state is None else state
            state = state if "state_dict" in state else {"state_dict": state, "meta": {}}
            note = self._differing_arguments(state.get("meta"), path)
        self.call_hook("after_load_checkpoint", checkpoint=state)
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
