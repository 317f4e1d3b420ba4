_base_ = [
    "../_base_/settings/degradation_learning.py",
    "../_base_/datasets/drealsr.py",
    "../_base_/degradations/dml.py",
]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
