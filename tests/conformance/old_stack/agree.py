"""What differs between the reference in a folder and one captured here: ``python agree.py FOLDER``."""

import sys

import train

from seatrial import Reference
from seatrial.parity.compare import compare

ABOUT = ("pipeline", "key", "path", "stages", "noise", "seed")  # of the manifest: the same wherever it was captured


def differences(folder):
    """Return a sentence for each frame, recorded answer and statement that differs."""
    here, there = train.captured(), Reference.load(folder)
    wrong = [f"{name} in the manifest" for name in ABOUT if here.manifest[name] != there.manifest[name]]
    if (here.root / "profile.json").read_text() != (there.root / "profile.json").read_text():
        wrong.append("the profile")
    pairs = {"requests": (here.requests, there.requests, here.key)}
    pairs |= {stage: (here.frame(stage), there.frame(stage), here.key) for stage in here.stages}
    for name in here.manifest["dependencies"]:
        ours, theirs = here.answers(name), there.answers(name)
        if ours.calls != theirs.calls or list(ours.lookups) != list(theirs.lookups):
            wrong.append(f"the calls of {name}")
        for call, lookup in ours.lookups.items():
            other = theirs.lookups[call]
            if lookup.layout != other.layout:
                wrong.append(f"the layout of {call}")
            pairs[f"keys of {call}"] = (lookup.asked.assign(n=1), other.asked.assign(n=1), lookup.on[0])
            pairs[call] = (lookup.rows, other.rows, lookup.on[0])
    for name, (mine, other, key) in pairs.items():
        parity = compare(mine, other, key=key, distributions=False)
        if not (parity.ok and parity.row_order_ok and parity.column_order_ok):
            wrong.append(f"{name}: {[c for c in parity.columns if not c.ok]}")
    return wrong


if __name__ == "__main__":
    if found := differences(sys.argv[1]):
        sys.exit("\n".join(found))
