# SwinIR for real photos, L, first stage, on more data; otherwise swinir_real_m_dfo_x4.py. How much
# of each data set a batch takes is not known to us: all images alike.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/dfowmfc.py",
    "../_base_/degradations/bsrgan.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_500k_half_250k.py",
    "../_base_/ema_999.py",
]
scale = 4
backbone = dict(type="SwinIR", preset="real_l")
param_scheduler = dict(milestones=[500_000, 800_000, 900_000, 950_000])
train_cfg = dict(max_iters=1_000_000)
