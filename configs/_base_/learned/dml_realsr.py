# What dml/dml_n8_realsr has learned, and noise, as in the DML paper.
__dml = "work_dirs/dml_n8_realsr_x{scale}/degradation.safetensors"
degradation = dict(type="Compose", parts=[dict(checkpoint=__dml), dict(type="AWGN", sigma=5)])
