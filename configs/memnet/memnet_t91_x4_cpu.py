_base_ = "../_base_/settings/luma_t91_cpu.py"
scale = 4
backbone = dict(type="MemNet", blocks=3, units=3, width=24)
model = dict(loss=dict(type="WeightedLoss", terms=[dict(type="MSELoss")]))
