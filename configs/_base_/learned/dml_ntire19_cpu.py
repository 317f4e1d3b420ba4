# What dml/dml_n8_ntire19_x4_cpu has learned, and noise, as in the DML paper.
__dml = "work_dirs/dml_n8_ntire19_x4_cpu/degradation.safetensors"
degradation = dict(type="Compose", parts=[dict(checkpoint=__dml), dict(type="AWGN", sigma=5)])
