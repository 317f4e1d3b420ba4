# Set5 to validate and test on, reduced by the run's own degradation, whose draws are the same in
# every validation.
same_size = False
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        type="HRFolderDataset",
        split="Set5",
        folder="Set5/HR/x4",
        transforms=[dict(type="ModCrop"), dict(type="PackSample")],
    ),
)
test_dataloader = val_dataloader
