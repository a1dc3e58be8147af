-- One record of an Idempotency-Key; the states and answers are those of idempotency_store.h.
--
-- KEYS: the record, a hash: s state (i in flight, k kept, n not kept, u unknown), f fingerprint, t token, l end of the lease in
-- ms of Redis's clock, a answer. ARGV: what to do, then
--   begin  token, fingerprint, lease and expiry in ms, '1' where what is unknown is taken over
--   peek   -
--   k n u  token, expiry in ms, answer        it ends, and how
--   free   token                              it ends without a trace
-- The answer of begin and peek: the state's number and, of one that is kept, the answer; of an end 1, or 0 where it is not its own.

local op, key = ARGV[1], KEYS[1]

if op == 'begin' or op == 'peek' then
  local t = redis.call('TIME')
  local now = t[1] * 1000 + math.floor(t[2] / 1000)
  local r = redis.call('HMGET', key, 's', 'f', 'l')
  local s = r[1]
  if s and op == 'begin' and r[2] ~= ARGV[3] then
    return {5}
  end
  if s == 'i' and tonumber(r[3]) <= now then
    s = 'u'
  end
  if s == 'i' then
    return {1}
  elseif s == 'k' then
    return {2, redis.call('HGET', key, 'a')}
  elseif s == 'n' then
    return {3}
  elseif s == 'u' and ARGV[6] ~= '1' then
    return {4}
  elseif op == 'peek' then
    return {0}
  end
  redis.call('HSET', key, 's', 'i', 'f', ARGV[3], 't', ARGV[2], 'l', string.format('%.0f', now + ARGV[4]))
  redis.call('PEXPIRE', key, ARGV[5])
  return {0}
end

local r = redis.call('HMGET', key, 's', 't')
if r[1] ~= 'i' or r[2] ~= ARGV[2] then
  return 0
end
if op == 'free' then
  redis.call('DEL', key)
  return 1
end
redis.call('HSET', key, 's', op)
if op == 'k' then
  redis.call('HSET', key, 'a', ARGV[4])
end
if op ~= 'u' then
  redis.call('PEXPIRE', key, ARGV[3])
end
return 1
