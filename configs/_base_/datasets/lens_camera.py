# Pairs of a simulated camera whose lens blurs and shifts colours more towards the corners of a
# photo: every HR file is a whole photo, and LR is made of a patch at its place. Where the camera
# sees beyond the patch, the loss must not compare (model.border).
patch_size = 192
batch_size = 16
flip = dict(horizontal=True, vertical=True, transpose=False)
__camera = dict(
    type="Degrade",
    quantise=True,
    degradation=dict(type="SampleCamera", content=0.25, position=0.0, radial=1.0, lateral=1.5),
)
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        type="HRFolderDataset",
        folder="DIV2K/DIV2K_train_HR",
        whole_photos=True,
        transforms=[
            dict(type="PairedCrop"),
            dict(type="Flip"),
            __camera,
            dict(type="PackSample"),
        ],
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        type="HRFolderDataset",
        split="test",
        folder="Kodak24",
        whole_photos=True,
        transforms=[dict(type="ModCrop"), __camera, dict(type="PackSample")],
    ),
)
test_dataloader = val_dataloader
