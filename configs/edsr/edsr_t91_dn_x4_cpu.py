# LR with noise of sigma 30 after the bicubic reduction, the noise of the x3 benchmark "DN", in
# training and in validation.
_base_ = "edsr_t91_x4_cpu.py"
degradation = dict(type="AWGN", sigma=30, clip=True)
__set5 = dict(
    _delete_=True,
    type="HRFolderDataset",
    split="Set5",
    folder="Set5/HR/x4",
    transforms=[dict(type="PackSample")],
)
val_dataloader = dict(dataset=__set5)
test_dataloader = val_dataloader
