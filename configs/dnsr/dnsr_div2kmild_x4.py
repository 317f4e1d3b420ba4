# DNSR on the pairs of the challenge's realistic track. How it was trained is not known to us:
# EDSR's way.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k_mild.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1m_half_200k.py",
]
scale = 4
backbone = dict(type="DNSR")
