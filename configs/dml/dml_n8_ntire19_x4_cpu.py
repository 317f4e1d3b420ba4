_base_ = [
    "../_base_/settings/degradation_learning_cpu.py",
    "../_base_/datasets/ntire19.py",
    "../_base_/degradations/dml_cpu.py",
]
scale = 4
