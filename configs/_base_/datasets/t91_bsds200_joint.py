# "291" for one network that serves scales 2, 3 and 4: each patch is shrunk by one of them and
# brought back to its size (the degradation is configs/_base_/degradations/bicubic_joint.py), so LR
# lies on the HR grid. Patches divide by 2, 3 and 4. Validated at the scale of the config.
_base_ = "t91_bsds200_any_scale.py"
same_size = True
val_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="ModCrop", multiple=12),
            dict(type="Degrade", degradation=dict(type="Bicubic"), quantise=True),
            dict(type="PackSample"),
        ],
    )
)
test_dataloader = val_dataloader
