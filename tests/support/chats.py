"""A pipeline whose service answers chats: what it records, and what it asks."""

import json
import sys
from dataclasses import replace
from functools import cache

import pandas as pd

from seatrial import Pipeline
from seatrial.io.loading import load_file
from tests.support.documented import documented
from tests.support.paths import SUPPORT

FILE = SUPPORT / "chat_service.py"
served = load_file(FILE)
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}


def read(frame):
    records = [json.loads(text) for text in frame["payload"]]
    names = ("id", "messages", "tools", "max_tokens")
    return pd.DataFrame({name: [record.get(name) for record in records] for name in names})


def answer(frame):
    rows = []
    for row in frame.to_dict("records"):
        most = None if pd.isna(row["max_tokens"]) else int(row["max_tokens"])
        content, reason, calls = served.reply(row["messages"], row["tools"], most)
        told = [{"name": name, "arguments": arguments} for name, arguments in calls] or None
        rows.append({"id": row["id"], "content": content, "finish_reason": reason, "tool_calls": told})
    return pd.DataFrame(rows)


def requests():
    chats = []
    for n, said in enumerate(["paris", "rome and milan", "oslo", "a long way to tipperary", "bonn", "cork"]):
        chat = {"id": f"r{n}", "messages": [{"role": "user", "content": said}], "temperature": 0}
        if n % 3 == 0:
            chat |= {"tools": [WEATHER], "tool_choice": "required"}
        if n == 3 or n == 1:
            chat = {k: v for k, v in chat.items() if k not in ("tools", "tool_choice")} | {"max_tokens": 3}
        chats.append(json.dumps(chat))
    return pd.DataFrame({"payload": chats}, dtype="string")


@cache
def trained(fault):
    documented_service = documented("how-to/services.md")["service"]
    service = replace(documented_service, command=[sys.executable, str(FILE), "{port}", fault])
    return Pipeline("chat", key="id", raw=read, response=answer, service=service)
