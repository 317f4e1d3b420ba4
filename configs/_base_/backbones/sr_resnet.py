backbone = dict(type="SRResNet")
