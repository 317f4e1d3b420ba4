# FSRCNN, first stage: patches of 10, 7 and 6 LR pixels at x2, x3 and x4; 1e-3, the deconvolution at
# a tenth of it. Those are rates of SGD in the paper, which does not say how its loss is summed up;
# Adam takes them here. Second stage: General-100 added, half the rate, this stage's weights as
# load_from; for another scale only the deconvolution is trained again. The paper also shrinks the
# images by 0.9 to 0.6 beforehand, which has no transform yet. Batch and length are not known to us.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91.py",
    "../_base_/backbones/fsrcnn.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark_y.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 3
train_dataloader = dict(
    batch_size=128,
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=21),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    ),
)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(custom_keys=dict(last_part=dict(lr_mult=0.1)))
)
