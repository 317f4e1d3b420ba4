# ESRGAN-FS: ESRGAN, in which the absolute error sees only what is coarser than 9 x 9 pixels and the
# discriminator only what is finer.
_base_ = "esrgan.py"
__low = dict(type="FilteredLoss", filter="average", size=9, band="low")
model = dict(
    discriminator=dict(
        type="FilteredDiscriminator",
        discriminator=dict(type="VGGDiscriminator", size=128),
        filter="average",
        filter_size=9,
    ),
    loss=dict(
        terms=[
            dict(__low, loss=dict(type="L1Loss", weight=1e-2)),
            dict(type="ContentLoss", layers={"conv5_4": 1.0}, before_relu=True, criterion="l1"),
        ]
    ),
)
