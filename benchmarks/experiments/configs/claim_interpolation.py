_base_ = "claim_real.py"
backbone = dict(_delete_=True, type="Bicubic")
