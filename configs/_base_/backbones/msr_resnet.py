backbone = dict(type="MSRResNet")
