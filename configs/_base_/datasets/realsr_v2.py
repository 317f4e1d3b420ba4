# RealSR V2: LR lies on the HR grid. DML paper: patches of 192, flips left-right and up-down.
same_size = True
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="RealSRDataset",
        version=2,
        split="train",
        transforms=[
            dict(type="PairedCrop", patch_size=192),
            dict(type="Flip", horizontal=True, vertical=True, transpose=False),
            dict(type="PackSample"),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    sampler=dict(type="EvalSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="RealSRDataset", version=2, split="test", transforms=[dict(type="PackSample")]
    ),
)
test_dataloader = val_dataloader
