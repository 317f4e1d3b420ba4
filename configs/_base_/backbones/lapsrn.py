backbone = dict(type="LapSRN")
