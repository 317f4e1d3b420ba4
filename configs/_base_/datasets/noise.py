# A denoiser's photos: 400 of BSD ("Train400"), and what can be had of the 400 of ImageNet and 4744
# of Waterloo that the paper adds. Nothing is shrunk. Validated on Set5 with the same noise.
same_size = True
train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        folder=["BSD400", "WaterlooExploration"],
        too_small="skip",
        transforms=[
            dict(type="PairedCrop", patch_size=35),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type="EvalSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        split="Set5",
        folder="Set5/HR/x2",
        transforms=[dict(type="PackSample")],
    ),
)
test_dataloader = val_dataloader
