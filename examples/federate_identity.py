"""An authority vouches for devices, and whoever serves a run can make up none: enrolled, believed, renewed, revoked."""

import tempfile
import time
from pathlib import Path

from selvedge.federate.identity import credential, request
from selvedge.federate.identity.authority import begun
from selvedge.federate.identity.trust import Trust
from selvedge.federate.keys import Key
from selvedge.federate.message import Refused

now, kitchen, cellar, server = int(time.time()), Key(), Key(), Key()


def asked(trust: Trust, name: str, shown: bytes) -> None:
    try:
        print(f"{name} is {trust.open(name, shown).hex()[:8]}...")
    except Refused as error:
        print(f"refused: {error}")


with begun(Path(tempfile.mkdtemp()) / "authority", now, lambda token: "", life=30) as authority:
    first = authority.sign(request.made("kitchen", "nrf52840", now, kitchen), days=365, life=30)
    other = authority.sign(request.made("cellar", "nrf52840", now, cellar), days=365, life=30)
    trust = Trust(authority.register.root, [authority.published().packed()], time.time)
    asked(trust, "kitchen", first.data)
    asked(trust, "cellar", first.data)
    asked(trust, "sybil", credential.made("sybil", server.public, "", 3, 0, now + 10**7, server).data)
    newer = Key()  # which the old one signs: the name goes over to it
    second = authority.sign(request.made("kitchen", "nrf52840", now, newer, kitchen), days=365, life=30)
    authority.revoke(["cellar"], "lost on a train", life=30)
    trust.learn(authority.published().packed())  # as a server passes it on
    for name, shown in (("kitchen", first), ("kitchen", second), ("cellar", other)):
        asked(trust, name, shown.data)
