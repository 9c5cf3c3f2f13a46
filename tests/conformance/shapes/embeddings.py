"""Embeddings in torch: sentences become vectors, vectors find the nearest articles."""

import numpy as np
import pandas as pd
import torch
from torch import nn

from seatrial import Cosine, Pipeline, Tolerance, TopK

TOPICS = {
    "sport": "goal match team coach league season player win",
    "money": "bank market shares profit interest bond tax price",
    "travel": "flight hotel beach ticket island train visa luggage",
    "food": "recipe oven butter garlic salad bread cheese wine",
}
COMMON = ["the", "a", "of", "new", "for", "with", "after", "in"]
VOCABULARY = {w: n for n, w in enumerate(["<pad>", "<unknown>", *COMMON, *" ".join(TOPICS.values()).split()])}
LONGEST, WIDTH = 16, 24
torch.set_num_threads(1)


def _sentences(rng, count):
    texts, topics = [], []
    for _ in range(count):
        topic = int(rng.integers(0, len(TOPICS)))
        own = list(TOPICS.values())[topic].split()
        words = rng.choice([*own, *own, *COMMON], rng.integers(3, 20))
        texts.append(" ".join(words).capitalize())
        topics.append(topic)
    return texts, topics


def requests(seed):
    texts, _ = _sentences(np.random.default_rng(seed), 120)
    return pd.DataFrame({"query_id": [f"{seed}-{n}" for n in range(len(texts))], "text": texts})


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.out = nn.Embedding(len(VOCABULARY), WIDTH, padding_idx=0), nn.Linear(WIDTH, WIDTH)

    def forward(self, ids, mask):
        mean = (self.words(ids) * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        return nn.functional.normalize(torch.tanh(self.out(mean)), dim=1)


def fit(folder):
    torch.manual_seed(0)
    texts, topics = _sentences(np.random.default_rng(900), 300)
    articles, _ = _sentences(np.random.default_rng(901), 80)
    model, head = Encoder(), nn.Linear(WIDTH, len(TOPICS))
    ids = [tokenized(text) for text in texts]
    for step in range(40):  # by signs alone: torch.optim takes seconds to import
        nn.functional.cross_entropy(head(model(*padded(ids))), torch.tensor(topics)).backward()
        with torch.no_grad():
            for weights in [*model.parameters(), *head.parameters()]:
                weights.sub_(0.02 * (1 - step / 40) * weights.grad.sign())
                weights.grad = None
    with torch.no_grad():
        index = model(*padded([tokenized(text) for text in articles]))
    torch.save({"encoder": model.state_dict(), "index": index}, folder / "encoder.pt")
    return folder / "encoder.pt"


def load(path):
    saved, model = torch.load(path, weights_only=True), Encoder()
    model.load_state_dict(saved["encoder"])
    return model.eval(), saved["index"]


def tokenized(text, longest=LONGEST, lower=True):
    return [VOCABULARY.get(w, 1) for w in (text.lower() if lower else text).split()][:longest]


def padded(ids, filled=0.0):
    """Ids of one length, and where they are words; ``filled`` is the weight of what is none."""
    longest = max(map(len, ids))
    rows = torch.tensor([[*row, *[0] * (longest - len(row))] for row in ids])
    return rows, torch.where(rows == 0, filled, 1.0)


def tokens(frame, **how):
    return frame[["query_id"]].assign(ids=[tokenized(text, **how) for text in frame["text"]])


def embedding(frame, model, filled=0.0):
    with torch.no_grad():
        vectors = model[0](*padded([list(row) for row in frame["ids"]], filled)).numpy()
    return frame[["query_id"]].assign(vector=list(vectors))


def search(frame, model, nearest=True):
    likeness = np.stack(list(frame["vector"])) @ model[1].numpy().T
    order = np.argsort(-likeness if nearest else likeness, axis=1, kind="stable")[:, :10]
    return frame[["query_id"]].assign(
        articles=[[f"a{n}" for n in row] for row in order],
        likeness=[float(row[top[0]]) for row, top in zip(likeness, order, strict=True)],
    )


def given(asked, model):
    """The vectors of the job that embeds a whole night's queries, one at a time."""
    ids = tokens(asked)
    return {"embedding": pd.concat([embedding(ids.iloc[[n]], model) for n in range(len(ids))], ignore_index=True)}


STAGES = {
    "raw": lambda frame: frame.assign(text=frame["text"].str.strip()),
    "tokens": tokens,
    "embedding": embedding,
    "search": search,
}
SETTINGS = {"key": "query_id"}
pipeline = Pipeline("articles", model=load, **SETTINGS, **STAGES)
POLICY = {
    "embedding": {"tolerances": {"vector": Cosine(0.9999)}},
    "search": {"tolerances": {"articles": TopK(10, overlap=0.9), "likeness": Tolerance(atol=1e-5)}},
}
BUGS = {
    "capitals are words that nobody knows": ("tokens", {"tokens": lambda frame: tokens(frame, lower=False)}),
    "sentences end after eight words": ("tokens", {"tokens": lambda frame: tokens(frame, longest=8)}),
    "padding counts in the mean": (
        "embedding",
        {"embedding": lambda frame, model: embedding(frame, model, filled=1.0)},
    ),
    "the farthest articles are found": ("search", {"search": lambda frame, model: search(frame, model, nearest=False)}),
}
