-- A pool says that it is there, and hears how many are, and how often limits have been reset.
-- KEYS: hosts (sorted by when they were last heard of), the counter of resets. ARGV: the time in microseconds ('' is Redis's
-- own), the pool's name, after how long of silence a pool counts as gone.
-- The answer: pools alive, resets.

local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - ARGV[3]))
-- Last heard of before the clock was set back: whoever is there says so again.
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%.0f', now + ARGV[3]), '+inf')
redis.call('PEXPIRE', KEYS[1], math.floor(ARGV[3] / 1000) + 1)
-- A day: far longer than pools that go on counting hear nothing of Redis, so that none meets a counter that began anew.
redis.call('PEXPIRE', KEYS[2], 86400000)
return {redis.call('ZCARD', KEYS[1]), tonumber(redis.call('GET', KEYS[2]) or 0)}
