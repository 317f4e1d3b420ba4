# MSRN: patches of 48 LR pixels as the released code (patch 96 at x2, 144 at x3, 384 at x8).
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k.py",
    "../_base_/backbones/msrn.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1m_half_200k.py",
]
scale = 4
