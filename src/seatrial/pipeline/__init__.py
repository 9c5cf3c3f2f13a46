"""The path under test: named steps from frame to frame, what they need from outside, and the service around them."""

from seatrial.pipeline.copies import own_copy
from seatrial.pipeline.hooks import HttpAnswer, HttpRequest, Poll
from seatrial.pipeline.parts import SERVICE, Dependency, Key, Samples, Service, Stage, Step
from seatrial.pipeline.path import Pipeline
from seatrial.pipeline.replayer import Answered, LocalReplayer, Model, Replayed, Replayer, Source
from seatrial.pipeline.requests import batches_of, key_columns, request_numbers, requests_of, row_index
from seatrial.pipeline.returned import AS_STORED, Returned
from seatrial.pipeline.rule import check_keyed, describe, misnamed

__all__ = [
    "AS_STORED", "SERVICE", "Answered", "Dependency", "HttpAnswer", "HttpRequest", "Key", "LocalReplayer", "Model",
    "Pipeline", "Poll", "Replayed", "Replayer", "Returned", "Samples", "Service", "Source", "Stage", "Step",
    "batches_of", "check_keyed", "describe", "key_columns", "misnamed", "own_copy", "request_numbers", "requests_of",
    "row_index",
]  # fmt: skip
