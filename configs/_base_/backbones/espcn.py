backbone = dict(type="ESPCN")
