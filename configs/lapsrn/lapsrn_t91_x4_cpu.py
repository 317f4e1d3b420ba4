_base_ = "../_base_/settings/luma_t91_cpu.py"
scale = 4
backbone = dict(type="LapSRN", depth=4, width=24)
model = dict(loss=dict(type="WeightedLoss", terms=[dict(type="CharbonnierLoss")]))
