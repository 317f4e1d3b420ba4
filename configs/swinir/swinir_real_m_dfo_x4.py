# SwinIR for real photos, M, first stage: absolute error, BSRGAN's degradation, batches of 32
# patches of 64 LR pixels. The second stage is swinir_real_m_gan_dfo_x4.py.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/dfo.py",
    "../_base_/degradations/bsrgan.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_500k_half_250k.py",
    "../_base_/ema_999.py",
]
scale = 4
backbone = dict(type="SwinIR", preset="real_m")
param_scheduler = dict(milestones=[500_000, 800_000, 900_000, 950_000])
train_cfg = dict(max_iters=1_000_000)
