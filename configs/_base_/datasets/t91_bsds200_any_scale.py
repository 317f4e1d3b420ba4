# t91_bsds200.py for scales other than 2, 3 and 4: LR of Set5 is made, not read.
_base_ = "t91_bsds200.py"
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="HRFolderDataset",
        split="Set5",
        folder="Set5/HR/x4",
        transforms=[
            dict(type="ModCrop"),
            dict(type="Degrade", degradation=dict(type="Bicubic"), quantise=True),
            dict(type="PackSample"),
        ],
    )
)
test_dataloader = val_dataloader
