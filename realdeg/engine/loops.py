"""The loops for training, validation and test."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.evaluator import Evaluator
from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from realdeg.engine.closed_form import ClosedFormLoop
from realdeg.engine.devices import agree
from realdeg.engine.lost_process import lost_process, note_failure
from realdeg.engine.prefetch import prefetched
from realdeg.engine.refining import build_refinement, refining
from realdeg.engine.refusals import refuse_duplicates
from realdeg.engine.setup import named_wrappers
from realdeg.engine.state import unwrapped
from realdeg.engine.workers import (
    ADVICE,
    ignoring_dead_workers,
    lost_worker,
    stop_workers,
    worker_failure,
)
from realdeg.engine.wrappers import OptimWrapper
from realdeg.errors import ConfigError, DataError, OutputError, RealdegError, TrainingError
from realdeg.registry import LOOPS
from realdeg.utils.argument_types import Count
from realdeg.utils.mmengine_internals import backward_passes, is_test_loop
from realdeg.utils.progress import Shown, progress_bar
from realdeg.utils.samples import Batch

__all__ = ["ClosedFormLoop", "EvalLoop", "IterTrainLoop"]

VALIDATED = "validated_iteration"
"""The message hub's key of the last iteration that was validated."""


@LOOPS.register_module()
class IterTrainLoop(BaseLoop):
    """Trains for a number of iterations.

    An iteration is one step of the optimiser (of each, if there are several). Where gradients are
    accumulated (``optim_wrapper.accumulative_counts``), it takes as many batches of the data
    loader, which together are the samples of one iteration. Schedules, averages, validation,
    checkpoints and logs count iterations, so a checkpoint never holds half a gradient.

    A resumed run starts at the sampler's position, without replaying earlier batches. A validation
    that was due and did not finish is repeated.

    Args:
        runner: The runner that builds this loop, whose hooks are called.
        dataloader: The training data. Its sampler should have ``start(iteration)``.
        max_iters: The total number of iterations.
        val_interval: The number of iterations between validations. The last iteration is always
            validated.
        val_begin: The first iteration that may be validated.
    """

    max_epochs = 1

    def __init__(
        self,
        runner: Any,
        dataloader: DataLoader[Any] | dict[str, Any],
        max_iters: Count,
        val_interval: Count = 5000,
        val_begin: int = 1,
    ) -> None:
        super().__init__(runner, dataloader)
        self.max_iters = max_iters
        self.val_interval = val_interval
        self.val_begin = val_begin
        self.stop_training = False  # set by early stopping
        self._epoch = 0
        self._iter = 0
        self._stepped = False  # in the current iteration

    @property
    def epoch(self) -> int:
        """Always 0: the whole run is one epoch."""
        return self._epoch

    @property
    def iter(self) -> int:
        """The number of completed iterations."""
        return self._iter

    def run(self) -> torch.nn.Module:
        """Train the model and return it.

        Raises:
            SystemExit: With code 130, 143 or 129 after Ctrl-C, SIGTERM or a lost terminal, once
                the iteration is done and saved.
            DataError: If a data-loading worker was killed, or cannot send what it read.
        """
        runner = self.runner
        runner.call_hook("before_train")
        runner.call_hook("before_train_epoch")
        # Signal handlers before workers: forked processes inherit them.
        with runner.interruption:
            try:
                self._train()
            except Exception as error:
                note_failure(error)
                self._rescue(error)
                failure = worker_failure(error) or lost_process(error)
                if failure is not None:
                    raise failure from error
                raise
            finally:
                # They would idle until the end of the process.
                stop_workers(self.dataloader)
                if runner.val_loop is not None:
                    stop_workers(runner.val_loop.dataloader)
        runner.call_hook("after_train_epoch")
        runner.call_hook("after_train")
        model: torch.nn.Module = runner.model
        return model

    def _rescue(self, error: Exception) -> None:
        """Save the completed iterations after an error, unless that is what failed."""
        runner = self.runner
        if isinstance(error, TrainingError | OutputError):
            return
        if self._stepped:
            runner.say(
                "iteration %d failed after its step had started, so it was not saved; the last"
                " checkpoint in %s is kept",
                self._iter + 1,
                runner.work_dir,
            )
            return
        with ignoring_dead_workers():
            runner.call_hook("on_error", error=error)

    def _note_step(self, *_: Any) -> None:
        self._stepped = True

    def _train(self) -> None:
        runner = self.runner
        for _, wrapper in named_wrappers(runner.optim_wrapper):
            wrapper.optimizer.register_step_pre_hook(self._note_step)
        passes = backward_passes(runner.optim_wrapper)
        if passes > 1:
            self._check_sampler(passes)
            # mmengine's own wrappers count backward passes, and were given iterations.
            if not isinstance(runner.optim_wrapper, OptimWrapper):
                counts = (self._iter * passes, self.max_iters * passes)
                runner.optim_wrapper.initialize_count_status(runner.model, *counts)
        batches = self._batches()
        validated = runner.message_hub.get_info(VALIDATED)
        if self._iter and self._due() and validated != self._iter:
            self._validate()
        runner.model.train()
        with closing(batches):
            while self._iter < self.max_iters and not self.stop_training:
                self.run_iter(*(next(batches) for _ in range(passes)))
                self._leave_if_asked()
                if self._due():
                    self._validate()
                    runner.model.train()

    def run_iter(self, batch: Batch, *others: Batch) -> None:
        """Take one step.

        Args:
            batch: A batch of the data loader.
            *others: Further batches of this iteration, where gradients are accumulated. Hooks get
                the last one, and the mean losses.
        """
        runner, batches = self.runner, (batch, *others)
        runner.call_hook("before_train_iter", batch_idx=self._iter, data_batch=batches[-1])
        task: Any = unwrapped(runner.model)
        if hasattr(task, "iteration"):  # what a task does may depend on it
            task.iteration = self._iter
        results = [
            runner.model.train_step(each, optim_wrapper=runner.optim_wrapper) for each in batches
        ]
        outputs = _mean_losses(results) if others else results[0]
        runner.call_hook(
            "after_train_iter", batch_idx=self._iter, data_batch=batches[-1], outputs=outputs
        )
        self._iter += 1
        self._stepped = False

    def _check_sampler(self, passes: int) -> None:
        total = getattr(self.dataloader.sampler, "batch_size", None)
        share = (self.dataloader.batch_size or 1) * passes * self.runner.world_size
        if isinstance(total, int) and total != share:
            raise ConfigError(
                f"'train_dataloader.sampler.batch_size' is {total}, wanted {share}: the samples of"
                f" an iteration, which are {passes} backward passes (accumulative_counts) of"
                f" {self.dataloader.batch_size} in {self.runner.world_size} process(es)."
            )

    def _due(self) -> bool:
        if self.runner.val_loop is None or self._iter < self.val_begin:
            return False
        return self._iter % self.val_interval == 0 or self._iter == self.max_iters

    def _validate(self) -> None:
        self.runner.val_loop.run()
        self._leave_if_asked()

    def _leave_if_asked(self) -> None:
        runner = self.runner
        if agree(runner.interruption.requested, runner.device):
            runner.call_hook("on_interruption")
            raise runner.interruption.leave()

    def _batches(self) -> Generator[Any, None, None]:
        sampler = self.dataloader.sampler
        if hasattr(sampler, "start"):
            sampler.start(self._iter)
        elif self._iter:
            self.runner.logger.warning(
                "%s cannot start in the middle: the order of the data restarts",
                type(sampler).__name__,
            )
        model: Any = unwrapped(self.runner.model)
        if hasattr(model, "collate_with"):
            self.dataloader.collate_fn = model.collate_with(self.dataloader.collate_fn)
        prepare = getattr(model, "prepare", None)
        while True:
            count = 0
            loaded = plain_errors(self.dataloader)
            if prepare is not None:
                loaded = prefetched(loaded, prepare, self.runner.device)
            for batch in loaded:
                count += 1
                yield batch
            # Reached only with a finite sampler.
            if not count:
                raise DataError("the training data loader gives no batches: the data set is empty.")


def _mean_losses(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the means over the backward passes of an iteration."""
    return {
        name: torch.stack([torch.as_tensor(result[name]).detach() for result in results]).mean()
        for name in results[0]
        if all(name in result for result in results)
    }


@LOOPS.register_module()
class EvalLoop(BaseLoop):
    """Validates or tests: every item once, distributed over all processes.

    Gradients are disabled by ``no_grad`` rather than ``inference_mode``, in which zero-shot methods
    could not train.

    Args:
        runner: The runner that builds this loop, whose hooks are called.
        dataloader: The validation or test data.
        evaluator: The evaluator, its config, or a list of metrics.
        self_ensemble: Whether a network's images are the mean of eight passes, over the rotations
            and reflections of the input, taken before rounding.
        back_projection: ``dict(degradation=..., iterations=10)`` corrects a network's images until
            the degradation gives LR; arguments of
            :class:`~realdeg.degradations.back_projection.BackProjection`. None: not.

    Raises:
        ConfigError: If the task trains no network, or the network allows no such refinement.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: DataLoader[Any] | dict[str, Any],
        evaluator: Evaluator | dict[str, Any] | list[Any],
        self_ensemble: bool = False,
        back_projection: Mapping[str, Any] | None = None,
    ) -> None:
        # First, as it may refuse the model before data are opened.
        self.refinement = build_refinement(runner, self_ensemble, back_projection)
        super().__init__(runner, dataloader)
        if not isinstance(evaluator, Evaluator):
            evaluator = runner.build_evaluator(evaluator)
        self.evaluator: Evaluator = evaluator
        refuse_duplicates(self.evaluator.metrics)
        for number, metric in enumerate(self.evaluator.metrics):
            if runner.world_size > 1 and getattr(metric, "collect_device", "") == "cpu":
                # mmengine would leave a folder '.dist_test' in the current directory.
                if metric.collect_dir is None:
                    metric.collect_dir = f"{runner.log_dir}/collect_{number}"

    @property
    def stage(self) -> str:
        """``"test"`` for the loop of ``Runner.test()``, otherwise ``"val"``."""
        return "test" if is_test_loop(self.runner, self) else "val"

    def run(self) -> dict[str, Any]:
        """Predict, and return the metrics; none if a signal ended a validation early."""
        runner, stage = self.runner, self.stage
        runner.call_hook(f"before_{stage}")
        runner.call_hook(f"before_{stage}_epoch")
        runner.model.eval()
        metrics: dict[str, Any] = {}
        try:
            with refining(self.runner, self.refinement):
                seen = self._predict()
            if seen:
                metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        except Exception as error:  # torch reports a dead worker at any time
            note_failure(error)
            failure = worker_failure(error) or lost_process(error)
            if failure is None:
                raise
            raise failure from error
        runner.call_hook(f"after_{stage}_epoch", metrics=metrics)
        runner.call_hook(f"after_{stage}")
        return metrics

    def _predict(self) -> bool:
        """Predict all items; return False if a signal stopped it."""
        shown: Shown = "terminal" if self.stage == "test" and is_main_process() else False
        with progress_bar("testing", len(self.dataloader), shown=shown) as advance:
            for index, batch in enumerate(plain_errors(self.dataloader)):
                self.run_iter(index, batch)
                advance(index + 1)
                # Several processes must stop together, which they do after the next iteration.
                if self.runner.interruption.requested and self.runner.world_size == 1:
                    return False
        return True

    @torch.no_grad()
    def run_iter(self, index: int, batch: Batch) -> None:
        """Predict and process one batch, the one with this index."""
        runner, stage = self.runner, self.stage
        runner.call_hook(f"before_{stage}_iter", batch_idx=index, data_batch=batch)
        step = runner.model.test_step if stage == "test" else runner.model.val_step
        outputs = step(batch)
        runner.call_hook("before_measuring", outputs=outputs)
        self.evaluator.process(data_samples=outputs, data_batch=batch)
        runner.call_hook(f"after_{stage}_iter", batch_idx=index, data_batch=batch, outputs=outputs)


def plain_errors(loader: DataLoader[Any]) -> Iterator[Any]:
    """Yield the batches of a data loader, with readable errors.

    Raises:
        RealdegError: As a worker raised it, without the worker's traceback in the message.
        DataError: If a worker was killed.
    """
    # Workers start here, in the main thread: a prefetching thread ends before they do.
    try:
        iterator = iter(loader)
    except OSError as error:
        if not loader.num_workers:
            raise
        # torch's incomplete iterator would raise when it is garbage-collected.
        _MultiProcessingDataLoaderIter._shutdown = True
        raise DataError(
            f"the data-loading workers cannot be started ({error.strerror or error}). {ADVICE}."
        ) from error
    return _plain_errors(iterator)


def _plain_errors(iterator: Iterator[Any]) -> Iterator[Any]:
    while True:
        try:
            batch = next(iterator)
        except StopIteration:
            return
        except RealdegError as error:
            # torch raises it again with the worker's whole traceback as the message.
            sentence = str(error).rpartition(f"{type(error).__name__}: ")[2].strip()
            raise type(error)(sentence) from error
        except (RuntimeError, EOFError, OSError) as error:
            failure = worker_failure(error) or lost_worker(error, iterator)
            if failure is None:
                raise
            raise failure from error
        yield batch
