backbone = dict(type="SRFBN", preset="srfbn")
