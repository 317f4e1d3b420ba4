backbone = dict(type="WaveResNet")
