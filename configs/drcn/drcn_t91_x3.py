# DRCN: recursive supervision. The paper's alpha falls from high values (every recursion is
# supervised) to 0 (their weighted mean alone) as validation stalls, and the rate is divided by 10
# whenever 5 epochs bring nothing. Both follow the iteration here: alpha falls evenly from 1 to 0
# until the rate's last step; these numbers are ours. Without a limit to the gradient (VDSR's, ours)
# it soon overflows. Patches of 41 there, of 42 here (x2, x3; 40 at x4).
_base_ = ["../_base_/settings/luma_t91.py", "../_base_/schedules/sgd_400k.py"]
scale = 3
patch_size = 42
backbone = dict(type="DRCN", recursions=16, width=256)
model = dict(
    loss=dict(
        _delete_=True,
        type="WeightedLoss",
        terms=[dict(type="MSELoss", weight=42**2 / 2)],
        outputs={"sr": 0.0, "recursion_*": 1 / 16},
    )
)
__supervision = "model.loss.outputs"
custom_hooks = [
    dict(type="ScheduleHook", number=f"{__supervision}.sr", points=[(0, 0), (300_000, 1)]),
    dict(
        type="ScheduleHook",
        number=f"{__supervision}.recursion_*",
        points=[(0, 1 / 16), (300_000, 0)],
    ),
]
optim_wrapper = dict(optimizer=dict(lr=0.01), clip_grad=dict(max_norm=0.4))
