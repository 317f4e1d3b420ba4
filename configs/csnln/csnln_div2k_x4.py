# CSNLN: patches of 48 LR pixels (96 at x2, 144 at x3), 1000 epochs of 1000 iterations, each scale
# from the beginning. At 12 steps of 128 channels a batch of 16 needs several large GPUs.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k.py",
    "../_base_/backbones/csnln.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1m_half_200k.py",
]
scale = 4
