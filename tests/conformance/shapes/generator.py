"""A text generator that samples: a small model of which word follows which writes advertisements of flats."""

import json
import re

import numpy as np
import pandas as pd

from seatrial import Pipeline, Samples, Stage, Text

CITIES = ["Delft", "Gouda", "Leiden", "Utrecht"]
OPENINGS = ["Bright", "Bright", "Bright", "Quiet", "Cosy"]
END = "</s>"
SAMPLES = Samples(8, at_least=0.8)  # of those that were recorded, nine in ten come again


def requests(seed):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "flat_id": [f"{seed}-{n}" for n in range(100)],
            "city": rng.choice([c.upper() for c in CITIES], 100),
            "rooms": rng.integers(1, 5, 100),
            "rent": rng.integers(80, 250, 100) * 10,
        }
    )


def fit(folder):
    """Count which word follows which in a thousand advertisements, where facts are blanks."""
    rng, counts = np.random.default_rng(900), {}
    for _ in range(1_000):
        words = [str(rng.choice(OPENINGS)), "flat", *(["right"] if rng.random() < 0.1 else []), "in", "<city>", "with",
                 "<rooms>", "rooms", "for", "€<rent>", END]  # fmt: skip
        for one, other in zip(["<s>", *words], words, strict=False):
            counts.setdefault(one, {}).setdefault(other, 0)
            counts[one][other] += 1
    (folder / "words.json").write_text(json.dumps(counts))
    return folder / "words.json"


def load(path):
    with open(path) as file:
        return json.load(file)


def raw(frame):
    return frame.assign(city=frame["city"].str.capitalize())


def prompt(frame, fields=("city", "rooms", "rent")):
    facts = frame[list(fields)].to_dict("records")
    return frame[["flat_id"]].assign(prompt=[json.dumps(f, sort_keys=True) for f in facts])


def generate(frame, model, temperature=0.5, longest=20, stop=END):
    """Sample a word after another, until the text ends; then fill the blanks."""
    rng = np.random.default_rng()  # no seed: each answer is another
    return frame[["flat_id"]].assign(
        text=[_text(rng, json.loads(p), model, temperature, longest, stop) for p in frame["prompt"]]
    )


def _text(rng, facts, model, temperature, longest, stop):
    words, at = [], "<s>"
    while len(words) < longest:
        follow = model.get(at) or model["<s>"]
        weights = np.array(list(follow.values()), dtype=float) ** (1 / temperature)
        at = str(rng.choice(list(follow), p=weights / weights.sum()))
        if at == stop:
            break
        words.append(at)
    text = " ".join(w for w in words if w != END)
    for name in ("city", "rooms", "rent"):
        shown = f"{facts[name]:,}" if name == "rent" and name in facts else str(facts.get(name, ""))
        text = text.replace(f"<{name}>", shown)
    return text


def facts(frame, pattern=r"€([\d,]+)"):
    """What the text says, as the search index wants it."""
    rent = [re.search(pattern, text) for text in frame["text"]]
    return frame.assign(
        rent=[int(m[1].replace(",", "")) if m else -1 for m in rent], words=frame["text"].str.split().map(len)
    )


def response(frame, longest=200):
    return frame.assign(text=frame["text"].str.slice(0, longest))


STAGES = {
    "raw": raw,
    "prompt": prompt,
    "generate": Stage(generate, samples=SAMPLES),
    "facts": facts,
    "response": response,
}
SETTINGS = {"key": "flat_id"}
pipeline = Pipeline("flats", model=load, **SETTINGS, **STAGES)
POLICY = {"generate": {"tolerances": {"text": Text("NFKC casefold")}}}


def _generated(**how):
    return Stage(lambda frame, model: generate(frame, model, **how), samples=SAMPLES)


BUGS = {
    "a fact is left out of the prompt": ("prompt", {"prompt": lambda frame: prompt(frame, ("city", "rooms"))}),
    "the temperature is that of an experiment": ("generate", {"generate": _generated(temperature=5.0)}),
    "the text does not end": ("generate", {"generate": _generated(stop="")}),
    "the rent ends at the comma": ("facts", {"facts": lambda frame: facts(frame, r"€(\d+)")}),
    "the text is cut": ("response", {"response": lambda frame: response(frame, longest=20)}),
}
