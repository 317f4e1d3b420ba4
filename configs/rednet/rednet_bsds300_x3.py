# RED30: Adam at 1e-4, patches of 50 (51 at x3, 52 at x4). Batch and length of the training are not
# known to us. The paper's test adds the mean over eight flips and turns.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/bsds300.py",
    "../_base_/backbones/rednet.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark_y.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 3
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=51),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    ),
)
