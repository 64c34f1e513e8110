"""Sends what a model was given and said to a plumbline agent, from within the process that serves it.

    from plumbline_client import Client

    client = Client("churn")                                   # the agent on this node: http://127.0.0.1:9477
    client.sample({"age": 41, "plan": "basic"}, prediction=1, score=0.83, id="request-1")
    client.label("request-1", 0)                               # whenever it is known

Nothing here blocks or raises in the serving path: rows go into a queue that is bounded in rows and bytes, a thread sends them,
and what finds no room, or cannot be sent in the end, is counted in `client.counts`.
"""

from .client import Client, Counts

__all__ = ["Client", "Counts"]
