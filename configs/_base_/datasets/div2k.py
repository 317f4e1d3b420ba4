# DIV2K's 800 training photos, to be shrunk; the eight turned and flipped forms. Patches of 48 LR
# pixels at x4. LR is made of the patch, not of the photo: they differ in two LR pixels at the
# patch's rim.
_base_ = "set5.py"
patch_size = 192
flip = dict(transpose=True)
batch_size = 16
hr_folders = "DIV2K/DIV2K_train_HR"
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        type="HRFolderDataset",
        too_small="skip",
        transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
    ),
)
