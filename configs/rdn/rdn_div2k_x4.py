# RDN: patches of 32 LR pixels, 200 epochs of 1000 iterations. x3 and x4 begin with x2.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k.py",
    "../_base_/backbones/rdn.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1m_half_200k.py",
]
scale = 4
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=128),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    )
)
train_cfg = dict(max_iters=200_000)
