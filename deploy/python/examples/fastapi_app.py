"""A model behind FastAPI that tells the agent on its node what it was given and said.

    pip install fastapi uvicorn deploy/python
    uvicorn --app-dir deploy/python/examples fastapi_app:app
    curl -d '{"age": 41, "income": 3200}' -H 'Content-Type: application/json' http://127.0.0.1:8000/predict
"""

import contextlib
import math

from fastapi import FastAPI
from plumbline_client import Client
from pydantic import BaseModel

client = Client("churn", version="2")


@contextlib.asynccontextmanager
async def lifespan(_):
    yield
    client.close()


app = FastAPI(lifespan=lifespan)


class Request(BaseModel):
    age: float
    income: float


class Truth(BaseModel):
    id: str
    churned: bool


@app.post("/predict")
def predict(request: Request):
    score = 1 / (1 + math.exp(-(0.04 * request.age - 0.001 * request.income)))
    prediction = score > 0.5
    id = client.sample(request.model_dump(), prediction=prediction, score=score)
    return {"id": id, "churns": prediction, "score": score}


@app.post("/truth")
def truth(known: Truth):
    client.label(known.id, known.churned)
    return {}


@app.get("/counts")
def counts():
    return client.counts
