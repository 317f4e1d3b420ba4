# Nothing learned: MATLAB's bicubic reduction.
_base_ = "camera_dml.py"
degradation = dict(_delete_=True, type="Bicubic")
