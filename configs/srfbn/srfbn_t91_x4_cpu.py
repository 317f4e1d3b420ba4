_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="SRFBN", preset="srfbn_s", num_features=16)
model = dict(loss=dict(type="WeightedLoss", terms=[dict(type="L1Loss")]))
