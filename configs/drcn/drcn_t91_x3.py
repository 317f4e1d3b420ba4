# DRCN: recursive supervision. The paper's alpha falls from 1 (recursions) to 0 (their mean) during
# training; a loss keeps its weights here, and 0.5 is ours. It divides the rate by 10 whenever 5
# epochs bring nothing; fixed steps stand in for that. Without a limit to the gradient (VDSR's,
# ours) it soon overflows. Patches of 41 there, of 42 here (x2, x3; 40 at x4).
_base_ = ["../_base_/settings/luma_t91.py", "../_base_/schedules/sgd_400k.py"]
scale = 3
patch_size = 42
backbone = dict(type="DRCN", recursions=16, width=256)
model = dict(
    loss=dict(
        _delete_=True,
        type="WeightedLoss",
        terms=[dict(type="MSELoss", weight=42**2 / 2)],
        outputs={"sr": 0.5, "recursion_*": 0.5 / 16},
    )
)
optim_wrapper = dict(optimizer=dict(lr=0.01), clip_grad=dict(max_norm=0.4))
