backbone = dict(type="WaveletSRNet")
