"""Churn as a framework's tutorial would serve it: ``uvicorn textbook_service:app``."""

import math

from fastapi import FastAPI
from pydantic import BaseModel, field_validator

app = FastAPI()


class Customer(BaseModel):
    id: str
    age: int
    income: float
    plan: str | None = None


class Answer(BaseModel):
    id: str
    churn: float


def churn(age, income):
    """The model."""
    return round(1 / (1 + age / 40 + income / 50_000), 6)


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/predict")
def predict(customer: Customer) -> Answer:
    return Answer(id=customer.id, churn=churn(customer.age, customer.income))


class Cut(Customer):
    """A customer whose age loses its fraction."""

    @field_validator("age", mode="before")
    @classmethod
    def whole(cls, value):
        return int(value) if isinstance(value, float) and math.isfinite(value) else value


cutting = FastAPI()
cutting.get("/health")(health)


@cutting.post("/predict")
def predict_cut(customer: Cut) -> Answer:
    return predict(customer)
