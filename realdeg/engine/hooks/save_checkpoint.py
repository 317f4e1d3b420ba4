"""Save checkpoints and the component, and keep the latest and the best."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from realdeg.engine.checkpoint import LAST, checkpoint_name, find_checkpoints, iteration_of
from realdeg.engine.hooks.baseline import find_metric, less_is_better
from realdeg.engine.loops import VALIDATED
from realdeg.engine.state import averaged_weights, component_of, describe_run, unwrapped
from realdeg.errors import as_given, first_line
from realdeg.registry import HOOKS
from realdeg.utils.argument_types import Count
from realdeg.utils.files import atomic_path, remove_left_overs

_BEST = "best"


@HOOKS.register_module()
class SaveCheckpointHook(Hook):
    """Writes complete checkpoints, and deletes old ones only afterwards.

    Beside each ``iter_N.pth`` is the component alone in a self-describing file
    (``degradation.safetensors`` or ``backbone.safetensors``). With an EMA hook both hold the
    averaged weights. ``last_checkpoint`` names the newest, relative to the folder. Checkpoints of
    another run that look newer are renamed with the suffix ``.superseded``.

    Args:
        interval: The number of iterations between checkpoints. The last one is always saved.
        keep: The number of latest checkpoints to keep, at least 2: with one, a disk failure while
            it is replaced would leave nothing to resume from.
        save_best: A metric, for instance ``"psnr"``. The best weights so far are kept in
            ``best.pth`` and ``best_<component>.safetensors``. None keeps none.
        rule: Whether ``"greater"`` or ``"less"`` is better. None decides by the metric's name.
        export: Whether the component is written beside the checkpoint.
    """

    priority = "VERY_LOW"

    def __init__(
        self,
        interval: Count = 5000,
        keep: Annotated[int, Ge(2)] = 2,
        save_best: str | None = None,
        rule: Literal["greater", "less"] | None = None,
        export: bool = True,
    ) -> None:
        self.interval, self.keep, self.export = interval, keep, export
        self.save_best, self.rule = save_best, rule
        self._began: int | None = None
        self._saved = -1
        self._fresh = True

    def before_train(self, runner: Any) -> None:
        """Record the first iteration of this run."""
        self._began = runner.iter
        self._saved = runner.iter if runner.iter else -1
        self._fresh = True
        if is_main_process():
            remove_left_overs(runner.work_dir)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        """Save, if it is due."""
        done = runner.iter + 1
        if done % self.interval == 0 or done == runner.max_iters:
            self._save(runner, done)

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, Any] | None = None) -> None:
        """Keep the best, and record in this iteration's checkpoint that it was validated."""
        if self._began is None or not metrics:
            return
        runner.message_hub.update_info(VALIDATED, runner.iter)
        if self.save_best is not None:
            self._keep_best(runner, metrics)
        if self._saved == runner.iter:
            self._save(runner, runner.iter)

    def on_interruption(self, runner: Any) -> None:
        """Save before the process exits, and report how to continue."""
        if self._saved != runner.iter:
            self._save(runner, runner.iter)
        runner.say(
            "stopped by %s after iteration %d, saved in %s. To continue, run the same with %s.",
            runner.interruption.name(),
            runner.iter,
            runner.work_dir,
            as_given(resume=True),
        )

    def on_error(self, runner: Any, error: Exception) -> None:
        """Save the completed iterations after an error that does not concern the weights."""
        if self._saved != runner.iter:
            if not runner.iter:
                return
            try:
                self._save(runner, runner.iter)
            except Exception as failure:  # the first error is the one to report
                runner.logger.warning("and nothing could be saved: %s", first_line(failure))
                return
        runner.say(
            "stopped by an error after iteration %d, saved in %s. Once it is fixed, run the"
            " same with %s to continue.",
            runner.iter,
            runner.work_dir,
            as_given(resume=True),
        )

    def after_train(self, runner: Any) -> None:
        """Save the result of a loop that stopped early or has no iterations."""
        if self._saved != runner.iter:
            self._save(runner, runner.iter)
        elif (Path(runner.work_dir) / checkpoint_name(runner.iter)).is_file():
            # The run may have been killed right after its last checkpoint, and resumed.
            if self._began == runner.iter:
                self._finish(runner, runner.iter)
        self._began = None

    def _save(self, runner: Any, iteration: int) -> None:
        folder, name = Path(runner.work_dir), checkpoint_name(iteration)
        if self._fresh and is_main_process():
            self._set_aside(runner, folder)
        self._fresh = False
        runner.save_checkpoint(str(folder), name, iteration=iteration)
        self._saved = iteration
        self._finish(runner, iteration)

    def _finish(self, runner: Any, iteration: int) -> None:
        """After a checkpoint: record its name, export the component, delete old ones."""
        if not is_main_process():
            return
        folder, name = Path(runner.work_dir), checkpoint_name(iteration)
        with atomic_path(folder / LAST) as temporary:
            temporary.write_text(name + "\n", encoding="utf-8")
        self._export(runner, iteration, "")
        for old in find_checkpoints(folder)[self.keep :]:
            old.unlink(missing_ok=True)

    def _export(self, runner: Any, iteration: int, prefix: str) -> None:
        found = component_of(runner.model)
        write = getattr(unwrapped(runner.model), "export", None)
        if not self.export or found is None or write is None:
            return
        meta = describe_run(runner, iteration)
        for key in ("component", "experiment_name", "epoch"):
            meta.pop(key)
        with averaged_weights(runner):
            write(Path(runner.work_dir) / f"{prefix}{found[0]}.safetensors", meta)

    def _set_aside(self, runner: Any, folder: Path) -> None:
        # A restarted run, or one from an older checkpoint, must not resume from the old one later.
        for file in find_checkpoints(folder):
            if iteration_of(file) > (self._began or 0):
                aside = file.with_name(f"{file.name}.superseded")
                file.replace(aside)
                runner.logger.warning(
                    "%s is of another run, or unreadable: renamed to %s", file, aside.name
                )

    def _keep_best(self, runner: Any, metrics: Mapping[str, Any]) -> None:
        name = find_metric(metrics, str(self.save_best), "SaveCheckpointHook.save_best")
        score = float(metrics[name])
        less = less_is_better(name, self.rule)
        best = runner.message_hub.get_info(_BEST)
        if best and best["metric"] == name:
            former = float(best["score"])
            if (score >= former) if less else (score <= former):
                return
        if score != score:
            return
        runner.message_hub.update_info(
            _BEST, {"metric": name, "score": score, "iteration": runner.iter}
        )
        runner.save_checkpoint(runner.work_dir, "best.pth", iteration=runner.iter, training=False)
        if is_main_process():
            self._export(runner, runner.iter, "best_")
        runner.logger.info("best %s so far, kept in best.pth", name)
