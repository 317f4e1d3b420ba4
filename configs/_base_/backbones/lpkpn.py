backbone = dict(type="LPKPN")
