# MS-LapSRN on scales 2, 4 and 8: HR patches of 128 at each of them. The paper gives a third of
# every batch of 64 to each scale; here one scale is drawn for the whole batch, so each gets as much
# on average. 1000 iterations make one epoch; how long it trains is not known to us. Validated at
# x4.
_base_ = ["../_base_/settings/luma_291.py", "../_base_/schedules/sgd_400k.py"]
scale = 4
patch_size = 128
backbone = dict(type="MSLapSRN", recursions=8)
# x2 has no "half" and x4 no "quarter", and a pattern has to fit something: these fit "sr", too,
# whose weight is the first that fits.
model = dict(
    scales=[2, 4, 8],
    loss=dict(
        type="WeightedLoss",
        terms=[dict(type="CharbonnierLoss", eps=1e-3)],
        outputs={"sr": 128**2, "[sh]*": 64**2, "[sq]*": 32**2},
    ),
)
optim_wrapper = dict(optimizer=dict(lr=5e-6))
param_scheduler = dict(gamma=0.5)
