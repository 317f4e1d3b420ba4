_base_ = [
    "../_base_/settings/degradation_learning_cpu.py",
    "../_base_/datasets/city100.py",
    "../_base_/degradations/dml_cpu.py",
]
scale = 4
