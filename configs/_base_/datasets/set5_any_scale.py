# set5.py for scales other than 2, 3 and 4: LR is made, not read.
same_size = False
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        type="HRFolderDataset",
        split="Set5",
        folder="Set5/HR/x4",
        transforms=[
            dict(type="ModCrop"),
            dict(type="Degrade", degradation=dict(type="Bicubic"), quantise=True),
            dict(type="PackSample"),
        ],
    ),
)
test_dataloader = val_dataloader
