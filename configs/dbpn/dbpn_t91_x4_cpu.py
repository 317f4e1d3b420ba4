_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="DBPN", preset="dbpns", num_features=16, stem_features=32)
