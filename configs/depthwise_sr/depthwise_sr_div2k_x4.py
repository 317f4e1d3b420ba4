# A concept without a paper's recipe: trained as EDSR is.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k.py",
    "../_base_/backbones/depthwise_sr.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1m_half_200k.py",
]
scale = 4
