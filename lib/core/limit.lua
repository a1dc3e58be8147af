-- The limits of one request, all or nothing, in one call. The same arithmetic as limit.c, on integers below 2^53.
--
-- KEYS: a record each. ARGV: what to do, the time in microseconds ('' is Redis's own), then for each record eight words:
-- kind, observed ('1': what it refuses does not count), hold (what give and renew ask for), cost, and four numbers more:
--   b  increment's part, parts, capacity, its part   token bucket, the cost is an increment; record "full" or "full.part"
--   s  count, period, quantum, -                     sliding window; record of packed (quantum, units)
--   f  count, reach, period, offset                  fixed window; record of packed (end, used)
--   c  count, reach, end, next end                   the same, with the ends given
--   n  count, epoch, -, -                            concurrency; record of packed (epoch, four counts)
--
-- take: charges all, or none; peek: says what take would, and writes nothing; give: takes back; renew: moves holds to the
-- epoch of now. The answer: the time, then for each record: allowed, x, y, z (struct fg_limit_reading of limit.h).
-- It is written in one piece because Redis runs all of it anew for each request: a function would be made each time.

local op, now, all, answer = ARGV[1], ARGV[2], true, {}
if now == '' then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
else
  now = now + 0
end
local give, floor, max, pack, unpack, sub = op == 'give', math.floor, math.max, struct.pack, struct.unpack, string.sub
-- What each record is to become, and until when it counts.
local values, expiries, after = {}, {}, {}
local at = 3

answer[1] = now
for i = 1, #KEYS do
  local kind, hold, cost = ARGV[at], ARGV[at + 2] + 0, ARGV[at + 3] + 0
  local a, b, c, d = ARGV[at + 4] + 0, ARGV[at + 5] + 0, ARGV[at + 6] + 0, ARGV[at + 7] + 0
  local stored = redis.call('GET', KEYS[i])
  local ok, x, y, z, value, expiry, x2, y2, z2 = false, 0, 0, 0, false, 0, 0, 0, 0

  if kind == 'b' then
    local empty = now + c
    if stored then
      local dot = string.find(stored, '.', 1, true)
      if dot then
        x, y = sub(stored, 1, dot - 1) + 0, sub(stored, dot + 1) + 0
      else
        x = stored + 0
      end
    end
    if x < now then
      x, y = now, 0
    elseif x > empty or (x == empty and y > d) then
      x, y = empty, d
    end
    if give then
      x2, y2 = x - cost, y - a
      if y2 < 0 then x2, y2 = x2 - 1, y2 + b end
    else
      x2, y2 = x + cost, y + a
      if y2 >= b then x2, y2 = x2 + 1, y2 - b end
    end
    ok = x2 < empty or (x2 == empty and y2 <= d)
    value = string.format(y2 > 0 and '%.0f.%.0f' or '%.0f', x2, y2)
    expiry = x2 + 1

  elseif kind == 's' then
    local log, first = stored or '', 1
    if log ~= '' and unpack('<d', log, #log - 11) * c > now + b then log = '' end
    while first <= #log and (unpack('<d', log, first) + 1) * c - 1 + b <= now do first = first + 12 end
    if first > 1 then log = sub(log, first) end
    for n = 9, #log, 12 do x = x + unpack('<I4', log, n) end
    ok = x + cost <= a
    local stop = #log
    if stop > 0 then z = (unpack('<d', log, stop - 11) + 1) * c - 1 + b end
    if not ok then
      local need = x + cost - a
      for n = 1, stop, 12 do
        need = need - unpack('<I4', log, n + 8)
        if need <= 0 then
          y = (unpack('<d', log, n) + 1) * c - 1 + b
          break
        end
      end
    end
    x2, z2, value = x, z, log
    if give then
      for n = stop - 11, 1, -12 do
        if unpack('<d', log, n) == hold then
          local units = unpack('<I4', log, n + 8) - cost
          value = sub(log, 1, n - 1) .. (units > 0 and pack('<dI4', hold, units) or '') .. sub(log, n + 12)
          break
        end
      end
    elseif ok and cost > 0 then
      local last, units = floor(now / c), cost
      if stop > 0 and unpack('<d', log, stop - 11) >= last then
        last, units = unpack('<d', log, stop - 11), unpack('<I4', log, stop - 3) + cost
        stop = stop - 12
      end
      value = sub(log, 1, stop) .. pack('<dI4', last, units)
      x2 = x + cost
    end
    if #value > 0 then z2 = (unpack('<d', value, #value - 11) + 1) * c - 1 + b end
    expiry = #value > 0 and z2 or 0

  elseif kind == 'n' then
    local epoch, n1, n2, n3, n4 = floor(now / b), 0, 0, 0, 0
    if stored then
      local was, m1, m2, m3, m4 = unpack('<dI2I2I2I2', stored)
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
    if give or op == 'renew' then
      local age = epoch - hold
      if age == 0 then
        n1 = max(n1 - cost, 0)
      elseif age == 1 then
        n2 = max(n2 - cost, 0)
      elseif age == 2 then
        n3 = max(n3 - cost, 0)
      elseif age == 3 then
        n4 = max(n4 - cost, 0)
      end
    end
    if not give and (ok or op == 'renew') then n1 = n1 + cost end
    x2, y2 = n1 + n2 + n3 + n4, epoch
    value, expiry = pack('<dI2I2I2I2', epoch, n1, n2, n3, n4), x2 > 0 and (epoch + 4) * b or 0

  else
    local fresh
    if stored then x, y = unpack('<dI4', stored) end
    if x <= now or x > now + b then
      if kind == 'f' then
        x = (floor((now + d) / c) + 1) * c - d
      else
        x = now < c and c or d
      end
      y = 0
    end
    ok = y + cost <= a
    x2, y2 = x, y
    if not give then
      y2 = y + cost
    elseif x == hold then
      y2 = max(y - cost, 0)
    end
    value, expiry = pack('<dI4', x2, y2), y2 > 0 and x2 or 0
  end

  if not ok and ARGV[at + 1] == '0' then all = false end
  values[i], expiries[i], after[i] = value, expiry, {x2, y2, z2}
  answer[4 * i - 2], answer[4 * i - 1], answer[4 * i], answer[4 * i + 1] = ok and 1 or 0, x, y, z
  at = at + 8
end

if not all and (op == 'take' or op == 'peek') then return answer end
for i = 1, #KEYS do
  if answer[4 * i - 2] == 1 or give or op == 'renew' then
    local left = expiries[i] - now
    if op == 'peek' then
      -- Nothing is written.
    elseif left > 0 then
      redis.call('SET', KEYS[i], values[i], 'PX', floor(left / 1000) + 1)
    else
      redis.call('DEL', KEYS[i])
    end
    answer[4 * i - 1], answer[4 * i], answer[4 * i + 1] = after[i][1], after[i][2], after[i][3]
  end
end
return answer
