_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="SRMD", num_features=32, num_layers=6)
model = dict(quantise=False)
degradation = dict(type="SRMD", settings="code", sigma=(0, 75))
