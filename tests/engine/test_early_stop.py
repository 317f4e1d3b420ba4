"""EarlyStopHook and TimeLimitHook: when they end a run, and that validations count once."""

from types import SimpleNamespace

import pytest
import torch

from realdeg.engine.hooks import EarlyStopHook, TimeLimitHook
from realdeg.engine.hooks.early_stop import SEEN, STOPPED
from realdeg.errors import ConfigError


class Hub(dict):
    def get_info(self, key):
        return self.get(key)

    update_info = dict.__setitem__


def runner(hub, iteration, training=True):
    return SimpleNamespace(
        message_hub=hub,
        iter=iteration,
        device=torch.device("cpu"),
        max_iters=100,
        training=training,
        train_loop=SimpleNamespace(stop_training=False),
        say=lambda *_: None,
    )


def validate(hook, hub, iteration, value, name="psnr[rgb]"):
    given = runner(hub, iteration)
    hook.after_val_epoch(given, {name: value})
    return given.train_loop.stop_training


def test_it_stops_after_so_many_validations_without_a_gain():
    hook, hub = EarlyStopHook(patience=2, min_gain=0.1), Hub()
    values = [30.0, 31.0, 31.05, 31.2, 31.1, 31.2]
    stopped = [validate(hook, hub, 10 * i, value) for i, value in enumerate(values, 1)]
    assert stopped == [False] * 5 + [True]
    assert "best at iteration 40" in hub[STOPPED]
    assert hub[SEEN]["values"] == {10 * i: value for i, value in enumerate(values, 1)}
    # A run that is resumed after that stays stopped.
    again = runner(hub, 60)
    EarlyStopHook(patience=2).before_train(again)
    assert again.train_loop.stop_training


def test_a_validation_that_is_repeated_counts_once():
    hook, hub = EarlyStopHook(patience=2), Hub()
    validate(hook, hub, 10, 30.0)
    assert not validate(hook, hub, 20, 29.0)
    assert not validate(hook, hub, 20, 29.0)
    assert validate(hook, hub, 30, 29.0)


def test_less_is_better_for_errors_and_an_unknown_metric_is_refused():
    hook, hub = EarlyStopHook("lpips", patience=1), Hub()
    assert not validate(hook, hub, 10, 0.3, "lpips[rgb]")
    assert not validate(hook, hub, 20, 0.2, "lpips[rgb]")
    assert validate(hook, hub, 30, 0.25, "lpips[rgb]")
    with pytest.raises(ConfigError, match=r"EarlyStopHook.metric"):
        validate(EarlyStopHook("ssim"), Hub(), 10, 30.0)


def ends(hook, iteration):
    given = runner(Hub(), iteration)
    hook.after_val_epoch(given, {})
    return given.train_loop.stop_training, given.message_hub.get(STOPPED, "")


def test_a_run_ends_before_its_time_is_up(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("realdeg.engine.hooks.time_limit.time.monotonic", lambda: now[0])
    hook = TimeLimitHook(seconds=100)
    hook.before_train(runner(Hub(), 0))
    results = []
    # The third interval takes twice as long as the first two: another one would end at 110 s.
    for now[0], iteration in ((15.0, 10), (30.0, 20), (70.0, 30)):
        results.append(ends(hook, iteration))
    assert [stopped for stopped, _ in results] == [False, False, True]
    assert results[-1][1] == "the time is up: 70 of 100 s are used"


def test_a_stated_iteration_is_the_last_and_stays_it():
    hook = TimeLimitHook(iteration=20)
    assert [ends(hook, iteration)[0] for iteration in (10, 20)] == [False, True]
    again = runner(Hub(), 20)
    TimeLimitHook(iteration=20).before_train(again)
    assert again.train_loop.stop_training


def test_a_limit_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="'seconds' or 'iteration'"):
        TimeLimitHook()
