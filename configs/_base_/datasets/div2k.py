# DIV2K's 800 training photos, to be shrunk; the eight turned and flipped forms. Patches of 48 LR
# pixels at x4. LR is made of the patch, not of the photo: they differ in two LR pixels at the
# patch's rim.
_base_ = "set5.py"
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        folder="DIV2K/DIV2K_train_HR",
        too_small="skip",
        transforms=[
            dict(type="PairedCrop", patch_size=192),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ],
    ),
)
