# LP-KPN: each level of the pyramid against HR's, squares summed over its pixels (Caffe's Euclidean
# loss, 1:1:1; hence the weights). The paper's equation compares the image alone: outputs={"sr":
# 1.0}. The released solver stops at 100K iterations of batch 64. Drawn as there; a
# short run goes further from init="identity".
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsr_v2.py",
    "../_base_/tasks/super_resolution.py",
    "../_base_/schedules/adam_1m.py",
]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
backbone = dict(type="LPKPN", init="msra")
model = dict(
    loss=dict(
        type="WeightedLoss",
        terms=[dict(type="MSELoss", weight=192**2 / 2)],
        outputs={"level_0": 1.0, "level_1": 1 / 4, "level_2": 1 / 16},
    )
)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4), paramwise_cfg=dict(bias_lr_mult=0.1))
