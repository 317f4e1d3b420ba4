# A denoiser's photos: 400 of BSD ("Train400"), and what can be had of the 400 of ImageNet and 4744
# of Waterloo that the paper adds. Nothing is shrunk. Validated on Set5 with the same noise.
_base_ = "hr_folders.py"
same_size = True
patch_size = 35
batch_size = 64
hr_folders = ["BSD400", "WaterlooExploration"]
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        type="HRFolderDataset",
        split="Set5",
        folder="Set5/HR/x2",
        transforms=[dict(type="PackSample")],
    ),
)
test_dataloader = val_dataloader
