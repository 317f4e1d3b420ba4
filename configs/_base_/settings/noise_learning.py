# A camera's noise, learned from what a degradation without noise leaves.
_base_ = [
    "../default_runtime.py",
    "../tasks/noise_learning.py",
    "../schedules/adam_noise.py",
]
default_hooks = dict(checkpoint=dict(interval=1000))
