"""A second request where the first takes longer than most."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from time import monotonic

from tritonkit.client.layers.delays import Delays
from tritonkit.client.layers.hedge.apart import Apart
from tritonkit.client.layers.hedge.race import Finish, race
from tritonkit.client.layers.rows import count_rows
from tritonkit.client.layers.tokens import Tokens
from tritonkit.client.placement import placements
