_base_ = "../_base_/settings/luma_t91_cpu.py"
scale = 4
backbone = dict(type="MWCNN", width=12)
