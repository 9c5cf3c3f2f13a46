"""Text classification: short messages, TF-IDF and a logistic regression; one stage works with polars."""

import html
import unicodedata

import joblib
import numpy as np
import pandas as pd
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from seatrial import Pipeline, Quality, Tolerance

SPAM = ["win", "free", "prize", "claim", "now", "cash", "urgent", "call", "offer", "£1000", "txt", "stop", "naïve"]
HAM = ["see", "you", "at", "café", "later", "mum", "dinner", "ok", "thanks", "tomorrow", "work", "&", "señor", "<3"]
EITHER = ["hi", "the", "to", "your", "is", "on", "for", "and"]


def _messages(seed, count=200):
    rng = np.random.default_rng(seed)
    spam = rng.random(count) < 0.4
    texts = []
    for bad in spam:
        words = list(rng.choice([*(SPAM if bad else HAM), *EITHER], rng.integers(4, 15)))
        words[0] = words[0].upper() if rng.random() < 0.5 else words[0].capitalize()
        if rng.random() < 0.15:  # some of the other kind
            words += list(rng.choice(HAM if bad else SPAM, 3))
        text = unicodedata.normalize("NFD" if rng.random() < 0.3 else "NFC", " ".join(words))
        texts.append(html.escape(text) if rng.random() < 0.5 else text)
    return texts, spam


def requests(seed):
    texts, _ = _messages(seed)
    return pd.DataFrame({"sms_id": range(seed * 1_000, seed * 1_000 + len(texts)), "body": [t.encode() for t in texts]})


def labels(asked):
    return asked[["sms_id"]].assign(spam=np.where(_messages(int(asked["sms_id"].iloc[0]) // 1_000)[1], "spam", "ham"))


def fit(folder):
    asked = requests(900)
    texts = [" ".join(words) for words in tokens(clean(raw(asked)))["words"].to_list()]
    model = make_pipeline(TfidfVectorizer(token_pattern=r"\S+", lowercase=False), LogisticRegression(C=10))
    joblib.dump(model.fit(texts, labels(asked)["spam"]), folder / "sms.joblib")
    return folder / "sms.joblib"


def raw(frame, encoding="utf-8"):
    return frame[["sms_id"]].assign(text=[body.decode(encoding) for body in frame["body"]])


def clean(frame, form="NFC", unescape=html.unescape):
    texts = [unicodedata.normalize(form, unescape(text)) for text in frame["text"]]
    return pl.DataFrame({"sms_id": frame["sms_id"].to_numpy(), "text": texts})


def tokens(frame, lower=True):
    """Words in polars; a number becomes a word of its own."""
    text = pl.col("text").str.to_lowercase() if lower else pl.col("text")
    words = text.str.replace_all(r"\d+", "0").str.extract_all(r"[\w<>&£]+")
    return frame.select("sms_id", words=words, length=pl.col("text").str.len_chars())


def prediction(frame, model, column=None):
    texts = [" ".join(words) for words in frame["words"].to_list()]
    at = list(model.classes_).index("spam") if column is None else column
    score = model.predict_proba(texts)[:, at] if texts else np.empty(0)
    return pd.DataFrame({"sms_id": frame["sms_id"].to_numpy(), "score": score, "length": frame["length"].to_numpy()})


def response(frame, least=0.5):
    return frame[["sms_id"]].assign(
        label=np.where(frame["score"] >= least, "spam", "ham"), score=frame["score"].round(4)
    )


STAGES = {"raw": raw, "clean": clean, "tokens": tokens, "prediction": prediction, "response": response}
SETTINGS = {"key": "sms_id"}
pipeline = Pipeline("sms", model=joblib.load, **SETTINGS, **STAGES)
POLICY = {
    "prediction": {
        "tolerances": {"score": Tolerance(rtol=1e-9)},
        "quality": Quality("spam", score="score", positive="spam", limits={"roc_auc": 0.85}, baseline="prior"),
    }
}
BUGS = {
    "bytes are read as Latin-1": ("raw", {"raw": lambda frame: raw(frame, "latin-1")}),
    "entities of HTML are left": ("clean", {"clean": lambda frame: clean(frame, unescape=str)}),
    "accents are letters of their own": ("clean", {"clean": lambda frame: clean(frame, form="NFD")}),
    "capitals are left": ("tokens", {"tokens": lambda frame: tokens(frame, lower=False)}),
    "the score is that of the first class": (
        "prediction",
        {"prediction": lambda frame, model: prediction(frame, model, 0)},
    ),
    "the limit is that of another release": ("response", {"response": lambda frame: response(frame, least=0.8)}),
}
