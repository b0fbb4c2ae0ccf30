-- A token bucket with a daily quota, by the clock of Redis.
-- KEYS: the bucket. ARGV: verb, rate, burst, reserve, daily, then for "take" cost and urgency,
-- for "observe" available, limit, seconds to the reset, left today, rate. "" stands for unknown.
local DAY, HOUR, CLAIM = 86400, 3600, 10
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local names = {'tokens', 'at', 'rate', 'limit', 'blocked', 'claim', 'claim_until', 'left', 'day_end',
               'minute', 'taken', 'before'}
local held = {}
for place, value in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do
  held[names[place]] = tonumber(value)
end

local daily, reserve = tonumber(ARGV[5]), tonumber(ARGV[4])
if ARGV[1] == 'observe' then
  held.limit = tonumber(ARGV[7]) or held.limit
  held.rate = tonumber(ARGV[10]) or held.rate
end
-- A provider that gives more or less than the policy expects is believed, and the burst scales along.
local rate = held.rate or tonumber(ARGV[2])
local burst = math.min(ARGV[3] * rate / ARGV[2], held.limit or math.huge)
local tokens = math.min(burst, (held.tokens or burst) + math.max(now - (held.at or now), 0) * rate)
if now >= (held.day_end or 0) then
  held.left, held.day_end = daily, (math.floor(now / DAY) + 1) * DAY
end
local minute = math.floor(now / 60)
if held.minute ~= minute then
  held.before = held.minute == minute - 1 and held.taken or 0
  held.minute, held.taken = minute, 0
end

local wait, reason = 0, ''
if ARGV[1] == 'take' then
  local cost, is_urgent = tonumber(ARGV[6]), ARGV[7] == '1'
  local kept = is_urgent and 0 or reserve
  -- Whoever needs many units at once would wait for ever behind those who need few.
  local claim = 0
  if not is_urgent and (held.claim_until or 0) > now and held.claim > cost then claim = held.claim end
  local need = math.min(burst, cost + claim + kept * burst)
  if held.left and held.left - cost < kept * (daily or 0) then
    wait, reason = held.day_end - now, 'daily'
  elseif (held.blocked or 0) > now then
    wait, reason = held.blocked - now, 'told'
  elseif tokens + 0.000001 < need then
    wait, reason = (need - tokens) / rate, 'bucket'
    if (held.claim_until or 0) <= now or cost > held.claim then
      held.claim, held.claim_until = cost, now + wait + CLAIM
    end
  else
    tokens = tokens - cost
    held.left = held.left and held.left - cost
    held.taken = held.taken + cost
    if cost >= (held.claim or 0) then held.claim, held.claim_until = 0, 0 end
  end
else
  local available, reset, left = tonumber(ARGV[6]), tonumber(ARGV[8]), tonumber(ARGV[9])
  -- Only ever downwards: calls that are on their way are not among those the provider has counted.
  if available then tokens = math.min(tokens, available) end
  if reset and available and available <= 0 then held.blocked = math.max(held.blocked or 0, now + reset) end
  if left then
    held.left = left
    -- Its day may end at another hour than ours: one call an hour finds out.
    if left <= reserve * (daily or 0) then held.day_end = math.min(held.day_end, now + HOUR) end
  end
end

held.tokens, held.at = tokens, now
local pairs_to_write = {}
for _, name in ipairs(names) do
  if held[name] then
    table.insert(pairs_to_write, name)
    table.insert(pairs_to_write, string.format('%.6f', held[name]))
  end
end
redis.call('HSET', KEYS[1], unpack(pairs_to_write))
if not held.left then redis.call('HDEL', KEYS[1], 'left') end
redis.call('EXPIRE', KEYS[1], 2 * DAY)
local per_minute = (held.before or 0) * (1 - now % 60 / 60) + held.taken
local shown = {wait, tokens, rate, burst, per_minute, held.left or '', held.day_end, held.blocked or 0, now}
local answer = {reason}
for place, value in ipairs(shown) do
  answer[place + 1] = value == '' and '' or string.format('%.6f', value)
end
-- One text: ten take the client longer to read than all the rest of the call.
return table.concat(answer, ',')
