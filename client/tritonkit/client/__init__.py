"""
A client for NVIDIA Triton Inference Server: dict in, dict out, with layers in between.

    with Client("http://localhost:8000") as client:
        client.infer("embed", {"text": ["hello", "world"]})["embedding"]
"""

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.client import Client
from tritonkit.client.drift.alert import Alert
from tritonkit.client.drift.profile import Profile
from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.events import Answer, Exposure, Outcome
from tritonkit.client.experiments.guard import Guard, Harm
from tritonkit.client.experiments.log import EventLog
from tritonkit.client.experiments.outcomes import Outcomes
from tritonkit.client.experiments.redis import RedisLog
from tritonkit.client.experiments.sqlite import SqliteLog
from tritonkit.client.jobs.job import Job, SyncJob
from tritonkit.client.jobs.local import LocalJobs
from tritonkit.client.jobs.pace import Pace
from tritonkit.client.jobs.redis import Jobs
from tritonkit.client.layers.breaker.breaker import Breaker
from tritonkit.client.layers.budget.budget import Budget
from tritonkit.client.layers.budget.cost import Costs, Price
from tritonkit.client.layers.budget.limits import Quota
from tritonkit.client.layers.budget.measured import Measured
from tritonkit.client.layers.budget.warnings import BudgetWarning
from tritonkit.client.layers.cache.cache import Cache
from tritonkit.client.layers.coalesce.coalesce import Coalesce
from tritonkit.client.layers.deadline.deadline import Deadline
from tritonkit.client.layers.drift.drift import Drift
from tritonkit.client.layers.hedge.hedge import Hedge
from tritonkit.client.layers.limit.limit import Limit
from tritonkit.client.layers.retry.retry import Retry
from tritonkit.client.layers.shadow.classes import Argmax, TopK
from tritonkit.client.layers.shadow.comparator import Comparator
from tritonkit.client.layers.shadow.divergence import JensenShannon, KullbackLeibler
from tritonkit.client.layers.shadow.elements import AllClose, Exact
from tritonkit.client.layers.shadow.function import CompareBy
from tritonkit.client.layers.shadow.report import ShadowReport
from tritonkit.client.layers.shadow.shadow import Shadow
from tritonkit.client.layers.shadow.vectors import Cosine
from tritonkit.client.layers.shadow.verdict import ShadowVerdict
from tritonkit.client.layers.shadow.worst import WorstRow
from tritonkit.client.layers.split.arm import Arm
from tritonkit.client.layers.split.split import Split
from tritonkit.client.layers.split.sticky import MemorySticky, RedisSticky, Sticky
from tritonkit.client.layers.split.thompson import Thompson
from tritonkit.client.layers.telemetry.snapshot import Snapshot
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.client.layers.telemetry.tokens import Spike, Tokens
from tritonkit.client.layers.tiers.by_cost import ByCost
from tritonkit.client.layers.tiers.cascade import Cascade
from tritonkit.client.layers.tiers.constant import Constant
from tritonkit.client.layers.tiers.fallback import Fallback
from tritonkit.client.layers.tiers.fast_then_accurate import FastThenAccurate
from tritonkit.client.layers.tiers.learned_rule import LearnedRule
from tritonkit.client.layers.tiers.length_rule import LengthRule
from tritonkit.client.layers.tiers.seed_rule import SeedRule
from tritonkit.client.layers.tiers.stale import Stale
from tritonkit.client.layers.tiers.tiers import Tiers
from tritonkit.client.layers.tiers.token_rule import TokenRule
from tritonkit.client.ledgers.ledger import Ledger
from tritonkit.client.ledgers.local import LocalLedger
from tritonkit.client.ledgers.redis import RedisLedger
from tritonkit.client.policy.policy import Policy, load_policy
from tritonkit.client.probing.probe import RowIndependence, probe_row_independence
from tritonkit.client.readings import Inside, Reading
from tritonkit.client.recordings.recording import KeyTrace
from tritonkit.client.route import Route
from tritonkit.client.signature import Signature, TensorSpec
from tritonkit.client.spent import Spent
from tritonkit.client.stack import Layer, Stack, Transport
from tritonkit.client.statistics.latency import LatencySketch
from tritonkit.client.stores.memory import Memory
from tritonkit.client.stores.redis.redis import Redis
from tritonkit.client.stores.store import Entry, Store
from tritonkit.client.trace import Trace
from tritonkit.client.transports.endpoints.endpoints import Endpoints
from tritonkit.client.transports.http import HttpTransport
from tritonkit.client.types import InferRequest, InferResponse, Parameter, Service, Tensors

__all__ = [
    "Alert",
    "AllClose",
    "Answer",
    "Argmax",
    "Arm",
    "AsyncClient",
    "Breaker",
    "Budget",
    "BudgetWarning",
    "ByCost",
    "Cache",
    "Cascade",
    "Client",
    "Coalesce",
    "Comparator",
    "CompareBy",
    "Constant",
    "Control",
    "Cosine",
    "Costs",
    "Deadline",
    "Drift",
    "Endpoints",
    "Entry",
    "EventLog",
    "Exact",
    "Exposure",
    "Fallback",
    "FastThenAccurate",
    "Guard",
    "Harm",
    "Hedge",
    "HttpTransport",
    "InferRequest",
    "InferResponse",
    "Inside",
    "JensenShannon",
    "Job",
    "Jobs",
    "KeyTrace",
    "KullbackLeibler",
    "LatencySketch",
    "Layer",
    "LearnedRule",
    "Ledger",
    "LengthRule",
    "Limit",
    "LocalJobs",
    "LocalLedger",
    "Measured",
    "Memory",
    "MemorySticky",
    "Outcome",
    "Outcomes",
    "Pace",
    "Parameter",
    "Policy",
    "Price",
    "Profile",
    "Quota",
    "Reading",
    "Redis",
    "RedisLedger",
    "RedisLog",
    "RedisSticky",
    "Retry",
    "Route",
    "RowIndependence",
    "SeedRule",
    "Service",
    "Shadow",
    "ShadowReport",
    "ShadowVerdict",
    "Signature",
    "Snapshot",
    "Spent",
    "Spike",
    "Split",
    "SqliteLog",
    "Stack",
    "Stale",
    "Sticky",
    "Store",
    "SyncJob",
    "Telemetry",
    "TensorSpec",
    "Tensors",
    "Thompson",
    "Tiers",
    "TokenRule",
    "Tokens",
    "TopK",
    "Trace",
    "Transport",
    "WorstRow",
    "load_policy",
    "probe_row_independence",
]
