-- The limits of one request, all or nothing, in one call. The same arithmetic as limit.c, on integers below 2^53.
--
-- KEYS: a record each. ARGV[1], packed: what to do (0 take, 1 peek, 2 give, 3 renew), then of each record: its kind, whether it
-- is observed (1: what it refuses does not count), hold (what give and renew ask for), cost, and five numbers more:
--   0  increment's part, parts, capacity, its part   token bucket, the cost is an increment
--   1  count, period, quantum                        sliding window
--   2  count, reach, period, offset                  fixed window
--   3  count, reach, start, end, next end            the same by the calendar: this window and the next, as the asker's clock has it
--   4  count, epoch                                  concurrency
-- ARGV[2]: the time in microseconds, for tests; otherwise it is Redis's own.
--
-- take: charges all, or none; peek: says what take would, and writes nothing; give: takes back; renew: moves holds to the
-- epoch of now. The answer, packed: the time, then of each record: allowed, x, y, z (struct fg_limit_reading of limit.h). The time
-- alone: it lies in none of the windows given; nothing was written.
--
-- Records are kept as integers below 2^63 wherever they fit: Redis has 16 bytes for one, and 32 to 80 more for a text. What does
-- not fit is packed, big end first, and so begins with no digit:
--   0  full; with parts up to 1000, full and three digits of the part       or full, part
--   1  of one entry: quantum and two digits of units (eight above 32 a period)   or the first quantum, then (quanta later, units)…
--   2  (end in seconds) * (count + 1) + used                                or end, used
--   4  (epoch * (count + 1) + its count) * (count + 1) + that of the one before  or epoch, four counts
--
-- It is written in one piece because Redis runs all of it anew for each request: a function would be made each time, and one
-- limit needs no tables.

local pack, unpack, format, sub, byte = struct.pack, struct.unpack, string.format, string.sub, string.byte
local args, n, now = ARGV[1], #KEYS, ARGV[2]
local op, at, several, all = byte(args), 2, n > 1, true
local kind, observed, hold, cost, a, b, c, d, e
local ok, x, y, z, x2, y2, z2, value, expiry
-- Of several: what each is to become, then what is answered about it.
local saved = several and {}

if now then
  now = now + 0
else
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
for i = 1, n do
  kind, observed, hold, cost, a, b, c, d, e, at = unpack('<BBddddddd', args, at)
  local stored = redis.call('GET', KEYS[i])
  x, y, z, z2 = 0, 0, 0, 0

  if kind == 0 then
    local empty = now + c
    if not stored then
      x = now
    elseif b == 1 then
      x = stored + 0
    elseif b <= 1000 then
      x, y = sub(stored, 1, -4) + 0, sub(stored, -3) + 0
    else
      x, y = unpack('>dI4', stored)
    end
    if x < now then
      x, y = now, 0
    elseif x > empty or (x == empty and y > d) then
      x, y = empty, d
    end
    if op == 2 then
      -- What has come back by itself since is not given back once more.
      local left = hold > now and hold - now or 0
      if cost >= left then cost, a = left, 0 end
      x2, y2 = x - cost, y - a
      if y2 < 0 then x2, y2 = x2 - 1, y2 + b end
    else
      x2, y2 = x + cost, y + a
      if y2 >= b then x2, y2 = x2 + 1, y2 - b end
    end
    ok = x2 < empty or (x2 == empty and y2 <= d)
    expiry = x2 + 1
    value = b == 1 and format('%.0f', x2) or b <= 1000 and format('%.0f%03d', x2, y2) or pack('>dI4', x2, y2)

  elseif kind == 1 then
    local digits, entry, bytes = 8, 'BI4', 5
    if a <= 32 then digits, entry, bytes = 2, 'I6B', 7 end
    -- The first quantum, then how much later and units of each: those of first to last still count.
    local log, first, last = {0}, 2, 1
    if not stored then
      -- Nothing has happened yet.
    elseif byte(stored) <= 57 then
      log, last = {sub(stored, 1, -1 - digits) + 0, 0, sub(stored, -digits) + 0}, 3
    else
      last = (#stored - 8) / bytes * 2 + 1
      log = {unpack('>d' .. string.rep(entry, (last - 1) / 2), stored)}
    end
    local from = log[1]
    if last > 1 and (from + log[last - 1]) * c > now + (b < 60000000 and b or 60000000) then last = 1 end
    while first < last and (from + log[first] + 1) * c - 1 + b <= now do first = first + 2 end
    for k = first + 1, last, 2 do x = x + log[k] end
    ok = x + cost <= a
    if last > first then z = (from + log[last - 1] + 1) * c - 1 + b end
    if not ok then
      local need = x + cost - a
      for k = first, last, 2 do
        need = need - log[k + 1]
        if need <= 0 then
          y = (from + log[k] + 1) * c - 1 + b
          break
        end
      end
    end
    x2, y2 = x, y
    if op == 2 then
      for k = last, first + 1, -2 do
        if from + log[k - 1] == hold then
          log[k] = log[k] - cost
          -- An entry of nothing would take the place of one of something.
          if log[k] <= 0 then
            table.remove(log, k)
            table.remove(log, k - 1)
            last = last - 2
          end
          break
        end
      end
    elseif ok and cost > 0 then
      local quantum = (now - now % c) / c
      if last > first and from + log[last - 1] >= quantum then
        log[last] = log[last] + cost
      else
        if last < first then from = quantum end
        log[last + 1], log[last + 2] = quantum - from, cost
        last = last + 2
      end
      x2 = x + cost
    end
    expiry = 0
    if last > first then
      z2 = (from + log[last - 1] + 1) * c - 1 + b
      expiry = z2
      if last == first + 1 then
        value = format(digits == 2 and '%.0f%02d' or '%.0f%08d', from + log[first], log[last])
      else
        local later = log[first]
        for k = first, last, 2 do log[k] = log[k] - later end
        value = pack('>d' .. string.rep(entry, (last - first + 1) / 2), from + later, _G.unpack(log, first, last))
      end
    end

  elseif kind == 4 then
    local epoch, n1, n2, n3, n4 = (now - now % b) / b, 0, 0, 0, 0
    if stored then
      local was, m1, m2, m3, m4 = 0, 0, 0, 0, 0
      if byte(stored) <= 57 then
        local number = stored + 0
        m2 = number % (a + 1)
        number = (number - m2) / (a + 1)
        m1 = number % (a + 1)
        was = (number - m1) / (a + 1)
      else
        was, m1, m2, m3, m4 = unpack('>dI2I2I2I2', stored)
      end
      local age = epoch - was
      if age <= 0 and age > -4 then
        epoch, n1, n2, n3, n4 = was, m1, m2, m3, m4
      elseif age == 1 then
        n2, n3, n4 = m1, m2, m3
      elseif age == 2 then
        n3, n4 = m1, m2
      elseif age == 3 then
        n4 = m1
      end
    end
    x, y = n1 + n2 + n3 + n4, epoch
    ok = x + cost <= a
    if op >= 2 then
      local age = epoch - hold
      if age == 0 then
        n1 = n1 > cost and n1 - cost or 0
      elseif age == 1 then
        n2 = n2 > cost and n2 - cost or 0
      elseif age == 2 then
        n3 = n3 > cost and n3 - cost or 0
      elseif age == 3 then
        n4 = n4 > cost and n4 - cost or 0
      end
    end
    if op == 3 or (ok and op ~= 2) then
      n1 = n1 + cost
      -- What had lapsed and is renewed late may be more than 16 bits hold.
      if n1 > 65535 then n1 = 65535 end
    end
    x2, y2 = n1 + n2 + n3 + n4, epoch
    expiry = x2 > 0 and (epoch + 4) * b or 0
    local number = (epoch * (a + 1) + n1) * (a + 1) + n2
    if n1 <= a and n2 <= a and n3 + n4 == 0 and number < 2^53 then
      value = format('%.0f', number)
    else
      value = pack('>dI2I2I2I2', epoch, n1, n2, n3, n4)
    end

  else
    if stored and byte(stored) > 57 then
      x, y = unpack('>dI4', stored)
    elseif stored then
      local number = stored + 0
      y = number % (a + 1)
      x = (number - y) / (a + 1) * 1000000
    end
    if x <= now or x > now + b then
      if kind == 2 then
        x = now + d - (now + d) % c + c - d
      elseif op < 2 and (now < c or now >= e) then
        return pack('<d', now)
      else
        x = now < d and d or e
      end
      y = 0
    end
    ok = y + cost <= a
    x2, y2 = x, y
    if op ~= 2 then
      y2 = y + cost
    elseif x == hold then
      y2 = y > cost and y - cost or 0
    end
    expiry = y2 > 0 and x2 or 0
    local number = x2 / 1000000 * (a + 1) + y2
    value = x2 % 1000000 == 0 and number < 2^53 and format('%.0f', number) or pack('>dI4', x2, y2)
  end

  if not ok and observed == 0 then all = false end
  if several then saved[i] = {ok, x, y, z, x2, y2, z2, value, expiry} end
end

all = all or op >= 2
for i = 1, n do
  if several then ok, x, y, z, x2, y2, z2, value, expiry = _G.unpack(saved[i]) end
  if all and (ok or op >= 2) then
    x, y, z = x2, y2, z2
    if op ~= 1 then
      local left = expiry - now
      if left > 0 then
        left = (left - left % 1000) / 1000 + 1
        -- %d is quicker, and may be of 32 bits.
        redis.call('SET', KEYS[i], value, 'PX', format(left < 2^31 and '%d' or '%.0f', left))
      else
        redis.call('DEL', KEYS[i])
      end
    end
  end
  if several then saved[i] = pack('<dddd', ok and 1 or 0, x, y, z) end
end
if several then return pack('<d', now) .. table.concat(saved) end
return pack('<ddddd', now, ok and 1 or 0, x, y, z)
