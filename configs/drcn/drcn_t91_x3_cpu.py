_base_ = "../_base_/settings/luma_t91_cpu.py"
scale = 3
backbone = dict(type="DRCN", recursions=6, width=32)
model = dict(loss=dict(type="WeightedLoss", terms=[dict(type="MSELoss")]))
