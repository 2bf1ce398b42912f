"""
What the ledger does inside of Redis, each operation one script over all its scopes.

Everything of a namespace begins with `{namespace}:budget:`, so that a cluster keeps
it on one node:

    memory            a hash: token (who remembers another one has seen this ledger
                      lose its memory), born, lost; times in microseconds
    open              a sorted set: ids of open reservations by expiry
    reservations      a hash: what each of them claims, as msgpack
    over:<id>         an id that is over, for a minute
    scope:<scope>     a hash: amounts by bucket; settled (their sum, once those before
                      `oldest` are gone), open, violations

Time is the server's. A script first charges what has expired, at the moment of its
expiry. Numbers are written by `int`, since Lua writes large ones with an exponent.
"""

from __future__ import annotations

from hashlib import sha1

from tritonkit.client.ledgers.local import REMEMBERED

__all__ = ["SERVER_TIME", "Scripts"]

SERVER_TIME = "redis.call('TIME')"

_COMMON = """
local function int(number) return string.format('%.0f', number) end
local base = KEYS[1]
local time = <TIME>
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- A quarter longer, so that it is not said each time.
local function keep(key, microseconds)
  local ms = math.ceil(microseconds / 1000)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, int(math.ceil(1.25 * ms))) end
end

-- Ends a reservation; actual is nil for all of it, a list otherwise.
local function finish(id, record, actual, at)
  for i, claim in ipairs(record) do
    local key, amount, bucket, window = claim[1], claim[2], claim[3], claim[4]
    local spent = actual and actual[i] or amount
    -- What has outlived all it knew is gone.
    local there = redis.call('HEXISTS', key, 'open') == 1
    if there and amount > 0 then redis.call('HINCRBY', key, 'open', int(0 - amount)) end
    if spent > 0 then
      redis.call('HINCRBY', key, int(math.floor(at / bucket)), int(spent))
      redis.call('HINCRBY', key, 'settled', int(spent))
    end
    if spent > amount then redis.call('HINCRBY', key, 'violations', 1) end
    if not there then keep(key, window + 2 * bucket) end
  end
  redis.call('ZREM', base .. 'open', id)
  redis.call('HDEL', base .. 'reservations', id)
  redis.call('SET', base .. 'over:' .. id, '', 'PX', <REMEMBERED>)
end

local expired = redis.call('ZRANGEBYSCORE', base .. 'open', '-inf', int(now), 'WITHSCORES')
for i = 1, #expired, 2 do
  local record = redis.call('HGET', base .. 'reservations', expired[i])
  if record then finish(expired[i], cmsgpack.unpack(record), nil, tonumber(expired[i + 1]))
  else redis.call('ZREM', base .. 'open', expired[i]) end
end

-- Buckets in the window, and those that have left it.
local function buckets_of(key, oldest)
  local kept, stale = {}, {}
  local flat = redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    local index = tonumber(flat[i])
    if index and index < oldest then stale[#stale + 1] = flat[i]
    elseif index then kept[#kept + 1] = {index, tonumber(flat[i + 1])} end
  end
  return kept, stale
end

-- settled, open, the oldest bucket in the window
local function read(key, bucket, window)
  local oldest = math.floor((now - window) / bucket)
  local settled, open, seen = unpack(redis.call('HMGET', key, 'settled', 'open', 'oldest'))
  settled = tonumber(settled or 0)
  if settled > 0 and seen ~= int(oldest) then
    settled = 0
    local kept, stale = buckets_of(key, oldest)
    for _, pair in ipairs(kept) do settled = settled + pair[2] end
    if #stale > 0 then redis.call('HDEL', key, unpack(stale)) end
    redis.call('HSET', key, 'settled', int(settled), 'oldest', int(oldest))
  end
  return settled, tonumber(open or 0), oldest
end
"""

_MEMORY = """
local token, lost = unpack(redis.call('HMGET', base .. 'memory', 'token', 'lost'))
local known, fresh, patience = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not token then
  token = fresh
  redis.call('HSET', base .. 'memory', 'token', token, 'born', int(now))
  if known ~= '' then lost = int(now); redis.call('HSET', base .. 'memory', 'lost', lost) end
elseif known ~= '' and known ~= token and not lost then
  -- Somebody who knew of nothing began anew.
  lost = redis.call('HGET', base .. 'memory', 'born')
  redis.call('HSET', base .. 'memory', 'lost', lost)
end
"""

_RESERVE = """
local id = ARGV[4]
local claims = {}
for i = 5, #ARGV, 5 do
  claims[#claims + 1] = {
    base .. 'scope:' .. ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]),
    tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])
  }
end
if redis.call('EXISTS', base .. 'over:' .. id) == 1 then return {'over', token} end
if lost then
  local wait = 0
  for _, claim in ipairs(claims) do
    -- What was on its way then may have been spent until its expiry.
    wait = math.max(wait, tonumber(lost) + patience + claim[4] + claim[3] - now)
  end
  if wait > 0 then return {'lost', token, int(wait)} end
end
local again = redis.call('HEXISTS', base .. 'reservations', id) == 1
local used, denied, longest = {}, nil, nil
for i, claim in ipairs(claims) do
  local key, amount, bucket, window, limit = unpack(claim)
  local settled, open, oldest = read(key, bucket, window)
  local total = settled + open
  used[i] = total
  if not again and (limit == 0 or total + amount > limit) then
    local wait = bucket
    if limit == 0 or amount > limit then wait = math.huge
    else
      local buckets = buckets_of(key, oldest)
      table.sort(buckets, function(a, b) return a[1] < b[1] end)
      local missing = total + amount - limit
      for _, pair in ipairs(buckets) do
        missing = missing - pair[2]
        if missing <= 0 then wait = (pair[1] + 1) * bucket + window - now; break end
      end
    end
    if not longest or wait > longest then
      longest = wait
      denied = {
        'denied', token, i - 1, wait == math.huge and '-1' or int(wait),
        int(math.max(0, limit - total))
      }
    end
  end
end
if denied then return denied end
if not again then
  for i, claim in ipairs(claims) do
    local key, amount, bucket, window = unpack(claim)
    redis.call('HINCRBY', key, 'open', int(amount))
    keep(key, patience + window + 2 * bucket)
    used[i] = used[i] + amount
    claim[5] = nil
  end
  redis.call('HSET', base .. 'reservations', id, cmsgpack.pack(claims))
  redis.call('ZADD', base .. 'open', int(now + patience), id)
end
for i, value in ipairs(used) do used[i] = int(value) end
return {'grant', token, unpack(used)}
"""

_SETTLE = """
local id = ARGV[1]
local packed = redis.call('HGET', base .. 'reservations', id)
if not packed then
  redis.call('SET', base .. 'over:' .. id, '', 'PX', <REMEMBERED>, 'NX')
  return 0
end
local record, actual = cmsgpack.unpack(packed), {}
for i = 1, #record do
  actual[i] = 0
  if ARGV[2] == 'settle' then
    if #ARGV - 2 ~= #record then return redis.error_reply('actual: one for each claim') end
    actual[i] = tonumber(ARGV[i + 2])
  end
end
finish(id, record, actual, now)
return 1
"""

_USAGE = """
local found = {}
for i = 4, #ARGV, 3 do
  local key = base .. 'scope:' .. ARGV[i]
  local settled, open = read(key, tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]))
  found[#found + 1] = int(settled)
  found[#found + 1] = int(open)
  found[#found + 1] = redis.call('HGET', key, 'violations') or '0'
end
return found
"""


class Scripts:
    """
    Args:
        time: What Lua asks for seconds and microseconds; the server's clock but in tests.
    """

    def __init__(self, time: str = SERVER_TIME) -> None:
        common = _COMMON.replace("<TIME>", time)
        remembered = str(int(REMEMBERED * 1000))
        parts = {
            "reserve": common + _MEMORY + _RESERVE,
            "settle": common + _SETTLE,
            "usage": common + _USAGE,
        }
        found = {name: code.replace("<REMEMBERED>", remembered) for name, code in parts.items()}
        self.reserve, self.settle, self.usage = found["reserve"], found["settle"], found["usage"]
        # Of no use to anybody but Redis, which names scripts so.
        self._sha = {code: sha1(code.encode()).hexdigest() for code in found.values()}

    def sha(self, script: str) -> str:
        """What Redis calls a script that it has seen."""
        return self._sha[script]
