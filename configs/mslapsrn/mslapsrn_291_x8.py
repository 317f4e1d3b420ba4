# MS-LapSRN at x8 alone, where the shared level is trained for x2 and x4 as well, on LR that is
# smaller; the paper's batches of 64 hold scales 2, 4 and 8 (mslapsrn_291_multiscale_x4). 1000
# iterations make one epoch; how long it trains is not known to us.
_base_ = ["../_base_/settings/luma_291_any_scale.py", "../_base_/schedules/sgd_400k.py"]
scale = 8
patch_size = 128
backbone = dict(type="MSLapSRN", recursions=8)
model = dict(
    loss=dict(
        type="WeightedLoss",
        terms=[dict(type="CharbonnierLoss", eps=1e-3)],
        outputs={"sr": 128**2, "half": 64**2, "quarter": 32**2},
    )
)
optim_wrapper = dict(optimizer=dict(lr=5e-6))
param_scheduler = dict(gamma=0.5)
