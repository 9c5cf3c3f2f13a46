"""The service: ``gunicorn service:app``. The variable MODEL names the folder of the model."""

import os

import pandas as pd
from flask import Flask, jsonify, request
from pipeline import clean, load_model, predict, respond
from pydantic import BaseModel, ConfigDict, ValidationError

app, model = Flask(__name__), load_model(os.environ["MODEL"])


class Ticket(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    ticket_id: str
    subject: str | None
    body: str


@app.errorhandler(ValidationError)
def refuse(error):
    return jsonify(detail=error.errors(include_input=False, include_context=False)), 422


@app.get("/health")
def health():
    return jsonify(status="ok")


@app.post("/predict")
def route():
    ticket = Ticket.model_validate_json(request.get_data())
    [row] = respond(predict(clean(pd.DataFrame([ticket.model_dump()])), model)).itertuples()
    return jsonify(ticket_id=row.ticket_id, queue=row.queue, confidence=row.confidence)
