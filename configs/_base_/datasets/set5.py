# Set5 to validate and test on, as RCAN's repository lays it out: Set5/HR/x4/baby_HR_x4.png,
# Set5/LR_bicubic/x4/baby_LRBI_x4.png (MATLAB's bicubic LR).
same_size = False
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        type="PairedFolderDataset",
        split="Set5",
        hr_dir="Set5",
        lr_dir="Set5",
        pattern="HR/x{scale}/{name}_HR_x{scale}",
        lr_pattern="LR_bicubic/x{scale}/{name}_LRBI_x{scale}",
        recursive=True,
        transforms=[dict(type="PackSample")],
    ),
)
test_dataloader = val_dataloader
