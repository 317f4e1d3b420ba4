# The exercise: absolute error and total variation, T91 and BSDS200 (200 training images of BSDS),
# tested on Set5. 2,000 iterations of 16 patches: minutes on two CPU cores.
_base_ = [
    "realdeg::_base_/settings/benchmark.py",
    "realdeg::_base_/datasets/t91_bsds200.py",
    "realdeg::_base_/schedules/adam_4k_cpu.py",
]
custom_imports = dict(imports=["a2001sr"])
scale = 2
patch_size = 48
batch_size = 16
backbone = dict(type="A2001SR")
model = dict(
    loss=dict(
        _delete_=True,
        type="WeightedLoss",
        terms=[dict(type="L1Loss"), dict(type="TVLoss", weight=0.001)],
    )
)
train_dataloader = dict(num_workers=1)
train_cfg = dict(max_iters=2000, val_interval=500)
