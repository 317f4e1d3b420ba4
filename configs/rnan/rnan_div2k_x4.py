# RNAN: patches of 48 LR pixels (96 at x2, 144 at x3), each scale from the beginning. The authors'
# code compares by absolute error, their text by squares; how long they train is not known to us.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k.py",
    "../_base_/backbones/rnan.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1m_half_200k.py",
]
scale = 4
