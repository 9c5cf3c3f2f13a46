"""A small service of chats in OpenAI's schema, with one fault: ``python chat_service.py PORT FAULT``.

``reply`` is also the path in process: what the service should answer.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def reply(messages, tools=None, most=None):
    """Return content, finish reason and calls for a chat: the last message again, or a call of the first tool."""
    said = messages[-1]["content"]
    if tools:
        number = sum(map(ord, said)) % 9
        return None, "tool_calls", [(tools[0]["function"]["name"], {"city": said.title(), "days": number})]
    words = f"You said: {said}".split(" ")
    cut = most is not None and len(words) > most
    return " ".join(words[:most] if cut else words), "length" if cut else "stop", []


def faulty(content, reason, calls, fault, streamed):
    """Return an answer with a fault in it."""
    if fault == "other-stream" and streamed and content:
        content = content.replace("said", "Said")
    if fault == "always-stop":
        reason = "stop"
    if fault == "stream-stop" and streamed:
        reason = "stop"
    if fault == "text-days":
        calls = [(name, {**arguments, "days": str(arguments["days"])}) for name, arguments in calls]
    if fault == "other-tool":
        calls = [(f"{name}s", arguments) for name, arguments in calls]
    return content, reason, calls


def refused(body):
    """Return why a request is refused; empty where it is not."""
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages:
        return "messages"
    if not all(isinstance(m, dict) and m.get("role") in ("system", "user", "assistant") for m in messages):
        return "role"
    if not isinstance(messages[-1].get("content"), str):
        return "content"
    if not isinstance(body.get("temperature", 0), int | float) or not isinstance(body.get("stream", False), bool):
        return "settings"
    return "max_tokens" if (body.get("max_tokens") or 1) < 1 else ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0

    def do_GET(self):
        self.say(200, {"status": "ok"})

    def do_POST(self):
        fault = sys.argv[2]
        try:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        except ValueError:
            return self.say(400, {"error": {"message": "no JSON"}})
        if fault == "strict" and "stream_options" in body:
            return self.say(422, {"error": {"message": "unknown field"}})
        if why := refused(body):
            return self.say(422, {"error": {"message": why}})
        Handler.asked += 1
        streamed = body.get("stream", False)
        content, reason, calls = reply(body["messages"], body.get("tools"), body.get("max_tokens"))
        content, reason, calls = faulty(content, reason, calls, fault, streamed)
        if fault == "drawn" and content:
            content += f" {Handler.asked}"
        told = [
            {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for n, (name, arguments) in enumerate(calls)
        ]
        usage = {"completion_tokens": len((content or "").split(" "))}
        if streamed:
            counted = usage if (body.get("stream_options") or {}).get("include_usage") else None
            return self.stream(content, reason, told, fault, counted)
        message = {"role": "assistant", "content": content} | ({"tool_calls": told} if told else {})
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return self.say(
            200, {"id": "x", "object": "chat.completion", "created": Handler.asked, "choices": [choice], "usage": usage}
        )

    def stream(self, content, reason, calls, fault, usage):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.close_connection = True
        self.end_headers()
        words = (content or "").split(" ")
        if fault == "short-stream":
            words = words[: len(words) // 2]
        if fault == "late-first":
            time.sleep(0.4)
        deltas = [{"role": "assistant"}]
        deltas += [{"content": (" " if n else "") + word} for n, word in enumerate(words) if content]
        if fault == "several-a-part" and content:
            deltas = [{"content": words[0]}, {"content": "".join(f" {word}" for word in words[1:])}]
        for n, call in enumerate(calls):
            text = call["function"]["arguments"]
            deltas += [{"tool_calls": [{**call, "index": n, "function": {**call["function"], "arguments": text[:7]}}]}]
            deltas += [{"tool_calls": [{"index": n, "function": {"arguments": text[7:]}}]}]
        for delta in deltas:
            if fault == "cut-stream" and delta == deltas[-1]:
                return
            if fault == "error-in-stream" and delta == deltas[-1]:
                self.wfile.write(b'data: {"error": {"message": "out of memory"}}\n\n')
                return
            self.chunk({"index": 0, "delta": delta, "finish_reason": None})
            time.sleep({"slow-tokens": 0.08, "several-a-part": 0.1}.get(fault, 0.001))
        self.chunk({"index": 0, "delta": {}, "finish_reason": reason})
        if usage is not None:
            told = {"id": "x", "object": "chat.completion.chunk", "choices": [], "usage": usage}
            self.wfile.write(b"data: " + json.dumps(told).encode() + b"\n\n")
        if fault != "endless-stream":
            self.wfile.write(b"data: [DONE]\n\n")

    def chunk(self, choice):
        told = {"id": "x", "object": "chat.completion.chunk", "choices": [choice]}
        self.wfile.write(b"data: " + json.dumps(told).encode() + b"\n\n")
        self.wfile.flush()

    def say(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 64
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
