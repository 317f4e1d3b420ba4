# HR photos that the simulated camera degrades at the scale drawn for each batch: pairs of several
# scales of one camera. Whole scales, which the camera has.
scale = 4
same_size = False
patch_size = 192
batch_size = 16
flip = dict(horizontal=True, vertical=True, transpose=False)
__camera = dict(type="Degrade", quantise=True, degradation=dict(type="SampleCamera", position=0.0))
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        type="HRFolderDataset",
        folder="DIV2K/DIV2K_train_HR",
        transforms=[dict(type="PairedCrop"), dict(type="Flip"), __camera, dict(type="PackSample")],
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        type="HRFolderDataset",
        split="test",
        folder="Kodak24",
        transforms=[dict(type="ModCrop"), __camera, dict(type="PackSample")],
    ),
)
test_dataloader = val_dataloader
