# KPN, the paper's baseline: trained as LP-KPN, by the error of the image.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsr_v2.py",
    "../_base_/backbones/kpn.py",
    "../_base_/tasks/super_resolution.py",
    "../_base_/schedules/adam_1m.py",
]
scale = 3
model = dict(loss=dict(weight=192**2 / 2))
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4), paramwise_cfg=dict(bias_lr_mult=0.1))
