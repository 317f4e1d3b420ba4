# The early networks: squared error on luma; their LR was left unrounded.
_base_ = "benchmark.py"
model = dict(loss=dict(type="MSELoss"), quantise=False)
