-- The limits of one request, all or nothing, in one call. The same arithmetic as limit.c, on integers below 2^53.
--
-- KEYS: a record each. ARGV: what to do, the time in microseconds ('' is Redis's own), then for each record:
--   observed ('1': what it refuses does not count), then
--   b, increment, its part, parts, capacity, its part         token bucket     record "full" or "full.part"
--   s, cost, count, period, quantum                           sliding window   record of packed (quantum, units)
--   f, cost, count, reach, period, offset                     fixed window     record of packed (end, used)
--   c, cost, count, reach, end, next end, the one after that  the same, with the ends given
--   n, cost, count, epoch                                     concurrency      record of packed (epoch, four counts)
--   and last, hold: what give and renew ask for, else 0
--
-- take: charges all, or none; peek: says what take would, and writes nothing; give: takes back; renew: moves holds to the epoch of now.
-- The answer: the time, then for each record: allowed, x, y, z (struct fg_limit_reading of limit.h).

local op, at = ARGV[1], 3
local now = tonumber(ARGV[2])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local floor, pack, unpack = math.floor, struct.pack, struct.unpack
local EPOCHS = 4

local function number()
  at = at + 1
  return tonumber(ARGV[at - 1])
end

local function save(key, value, expiry)
  if op == 'peek' then return end
  if value and expiry > now then
    redis.call('SET', key, value, 'PX', floor((expiry - now) / 1000) + 1)
  else
    redis.call('DEL', key)
  end
end

local kinds = {}

kinds.b = function(stored)
  local inc, incpart, parts, capacity, cappart = number(), number(), number(), number(), number()
  local hold = number()
  local full, part = 0, 0
  if stored then
    local dot = string.find(stored, '.', 1, true)
    if dot then
      full, part = tonumber(string.sub(stored, 1, dot - 1)), tonumber(string.sub(stored, dot + 1))
    else
      full = tonumber(stored)
    end
  end
  if full < now then
    full, part = now, 0
  elseif full > now + capacity or (full == now + capacity and part > cappart) then
    full, part = now + capacity, cappart
  end
  local nextfull, nextpart = full + inc, part + incpart
  if op == 'give' then
    nextfull, nextpart = full - inc, part - incpart
    if nextpart < 0 then nextfull, nextpart = nextfull - 1, nextpart + parts end
  elseif nextpart >= parts then
    nextfull, nextpart = nextfull + 1, nextpart - parts
  end
  local ok = nextfull < now + capacity or (nextfull == now + capacity and nextpart <= cappart)
  return ok, full, part, 0, function(key)
    local value = string.format('%.0f', nextfull)
    if nextpart > 0 then value = value .. '.' .. nextpart end
    save(key, value, nextfull + 1)
    return nextfull, nextpart, 0
  end
end

kinds.s = function(stored)
  local cost, count, period, quantum, hold = number(), number(), number(), number(), number()
  local log, first, used = stored or '', 1, 0
  if log ~= '' and unpack('<d', log, #log - 11) * quantum > now + period then log = '' end
  while first <= #log and (unpack('<d', log, first) + 1) * quantum - 1 + period <= now do first = first + 12 end
  for i = first, #log, 12 do used = used + unpack('<I4', log, i + 8) end
  local ok = used + cost <= count
  local admitted, empty = 0, 0
  if first <= #log then empty = (unpack('<d', log, #log - 11) + 1) * quantum - 1 + period end
  if not ok then
    local need = used + cost - count
    for i = first, #log, 12 do
      need = need - unpack('<I4', log, i + 8)
      if need <= 0 then
        admitted = (unpack('<d', log, i) + 1) * quantum - 1 + period
        break
      end
    end
  end
  return ok, used, admitted, empty, function(key)
    if op == 'give' then
      for i = #log - 11, first, -12 do
        if unpack('<d', log, i) == hold then
          local units = unpack('<I4', log, i + 8) - cost
          local entry = units > 0 and pack('<dI4', hold, units) or ''
          log = string.sub(log, first, i - 1) .. entry .. string.sub(log, i + 12)
          first = 1
          break
        end
      end
    elseif cost > 0 then
      local last, units = floor(now / quantum), cost
      local stop = #log
      if first <= stop and unpack('<d', log, stop - 11) >= last then
        last, units = unpack('<d', log, stop - 11), unpack('<I4', log, stop - 3) + cost
        stop = stop - 12
      end
      log = string.sub(log, first, stop) .. pack('<dI4', last, units)
      first, used = 1, used + cost
    end
    empty = #log >= first and (unpack('<d', log, #log - 11) + 1) * quantum - 1 + period or 0
    if op == 'give' or cost > 0 then save(key, string.sub(log, first), empty) end
    return used, admitted, empty
  end
end

local function window(stored, cost, count, reach, fresh)
  local hold = number()
  local stop, used = 0, 0
  if stored then stop, used = unpack('<dI4', stored) end
  if stop <= now or stop > now + reach then stop, used = fresh, 0 end
  return used + cost <= count, stop, used, 0, function(key)
    if op == 'give' then
      if stop == hold then used = math.max(used - cost, 0) end
    else
      used = used + cost
    end
    save(key, used > 0 and pack('<dI4', stop, used), stop)
    return stop, used, 0
  end
end

kinds.f = function(stored)
  local cost, count, reach, period, offset = number(), number(), number(), number(), number()
  return window(stored, cost, count, reach, (floor((now + offset) / period) + 1) * period - offset)
end

kinds.c = function(stored)
  local cost, count, reach, e1, e2, e3 = number(), number(), number(), number(), number(), number()
  return window(stored, cost, count, reach, now < e1 and e1 or now < e2 and e2 or e3)
end

kinds.n = function(stored)
  local cost, count, quantum, hold = number(), number(), number(), number()
  local epoch, held = floor(now / quantum), 0
  local counts = {0, 0, 0, 0}
  if stored then
    local was, n1, n2, n3, n4 = unpack('<dI2I2I2I2', stored)
    local old = {n1, n2, n3, n4}
    if epoch <= was and was < epoch + EPOCHS then
      epoch, counts = was, old
    elseif was < epoch then
      for i = 1, EPOCHS - (epoch - was) do counts[i + epoch - was] = old[i] end
    end
  end
  for i = 1, EPOCHS do held = held + counts[i] end
  return held + cost <= count, held, epoch, 0, function(key)
    local age = epoch - hold
    if (op == 'give' or op == 'renew') and age >= 0 and age < EPOCHS then counts[age + 1] = math.max(counts[age + 1] - cost, 0) end
    if op ~= 'give' then counts[1] = counts[1] + cost end
    held = 0
    for i = 1, EPOCHS do held = held + counts[i] end
    save(key, held > 0 and pack('<dI2I2I2I2', epoch, counts[1], counts[2], counts[3], counts[4]), (epoch + EPOCHS) * quantum)
    return held, epoch, 0
  end
end

local all, answer, changes = true, {now}, {}
for i = 1, #KEYS do
  local observed, kind = ARGV[at] == '1', ARGV[at + 1]
  at = at + 2
  local ok, x, y, z, change = kinds[kind](redis.call('GET', KEYS[i]))
  if not ok and not observed then all = false end
  changes[i] = change
  local n = 4 * i - 2
  answer[n], answer[n + 1], answer[n + 2], answer[n + 3] = ok and 1 or 0, x, y, z
end
if not all and (op == 'take' or op == 'peek') then return answer end
for i = 1, #KEYS do
  local n = 4 * i - 2
  if answer[n] == 1 or op == 'give' or op == 'renew' then
    answer[n + 1], answer[n + 2], answer[n + 3] = changes[i](KEYS[i])
  end
end
return answer
