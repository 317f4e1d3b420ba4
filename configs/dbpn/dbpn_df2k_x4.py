# D-DBPN: 20 patches of 32 LR pixels (64 at x2, 256 at x8), as they are: nothing is flipped. The
# paper adds photos of ImageNet to DIV2K and Flickr2K.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/df2k.py",
    "../_base_/backbones/dbpn.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1m_tenth_500k.py",
]
scale = 4
train_dataloader = dict(
    batch_size=20,
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=128),
            dict(type="PackSample"),
        ]
    ),
)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
