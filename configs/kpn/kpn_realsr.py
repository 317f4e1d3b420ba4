# KPN, the paper's baseline: trained as LP-KPN, by the error of the image. The largest of the
# paper's kernels; 5, 7 and 13 are the others. Drawn as in the released solver; a short run goes
# further from init="identity".
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsr_v2.py",
    "../_base_/tasks/super_resolution.py",
    "../_base_/schedules/adam_1m.py",
]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
backbone = dict(type="KPN", kernel_size=19, init="msra")
model = dict(loss=dict(weight=192**2 / 2))
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4), paramwise_cfg=dict(bias_lr_mult=0.1))
