# Faces of 128 x 128 pixels. Cut and shrink CelebA beforehand (162,770 to train on).
_base_ = "celeba32.py"
patch_size = 128
flip = dict(vertical=False)
batch_size = 64
hr_folders = "CelebA128/train"
train_dataloader = dict(
    dataset=dict(
        transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
    )
)
val_dataloader = dict(
    dataset=dict(
        folder="CelebA128/test",
        transforms=[dict(type="CentreCrop", patch_size=128), dict(type="PackSample")],
    )
)
test_dataloader = val_dataloader
