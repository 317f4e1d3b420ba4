# MDSR for one scale: patches of 48 LR pixels. The paper trains one network for scales 2, 3 and 4
# (mdsr_div2k_multiscale_x4).
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k.py",
    "../_base_/backbones/mdsr.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1m_half_200k.py",
]
scale = 4
train_cfg = dict(max_iters=650_000)
