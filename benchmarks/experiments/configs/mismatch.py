# LR of one degradation, in training and of Set5: what is trained on one is tested on another.
_base_ = [
    "../../../configs/_base_/settings/benchmark.py",
    "../../../configs/_base_/datasets/hr_folders.py",
    "../../../configs/_base_/datasets/set5.py",
    "../../../configs/_base_/schedules/adam_1200_cpu.py",
]
scale = 2
patch_size = 48
batch_size = 8
hr_folders = "BSDS500/train"
degradation = dict(
    _delete_=True,
    type="BlurDown",
    kind="IKC",
    kernel=dict(shape="gaussian", size=21, sigma_x=1.0),
)
backbone = dict(type="SRVGGNetCompact", num_features=24, num_convs=6)
train_dataloader = dict(num_workers=0, persistent_workers=False)
__set5 = dict(
    _delete_=True,
    type="HRFolderDataset",
    split="Set5",
    folder="Set5/HR/x2",
    transforms=[dict(type="PackSample")],
)
val_dataloader = dict(num_workers=0, dataset=__set5)
test_dataloader = val_dataloader
