# RED30: Adam at 1e-4, patches of 50 (51 at x3, 52 at x4). Batch and length of the training are not
# known to us. The paper's test adds the mean over eight flips and turns.
_base_ = [
    "../_base_/settings/benchmark_luma.py",
    "../_base_/datasets/bsds300.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 3
patch_size = 51
backbone = dict(type="REDNet", depth=30, width=128)
