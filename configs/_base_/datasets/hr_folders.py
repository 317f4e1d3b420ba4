# Folders of HR images, to be shrunk; the eight turned and flipped forms. LR is made of the patch,
# not of the photo: they differ in two LR pixels at the patch's border.
flip = dict(transpose=True)
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        type="HRFolderDataset",
        too_small="skip",
        transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
    ),
)
