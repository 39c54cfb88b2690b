-- GCRA for many clients in one call, each asking for a quantity at once.
--
-- KEYS: one per client; holds the instant at which it will have paid for all that it was admitted.
-- ARGV: for each key its policy's rate per second, and the quantity it asks for.
-- Returns for each key how many are admitted, and the microseconds until the next one would be if some are not.

-- include: ../../common/lua/cached.lua

local WINDOW = 1e6 -- microseconds that a client may be ahead: one second's worth is its burst
-- Counted from 2026, not from 1970: a double then holds fractions of a microsecond, which rates over 1,000/s add up.
local EPOCH = 1767225600

local time = redis.call('TIME')
local now = (time[1] - EPOCH) * 1e6 + time[2]
local answer = {}
for index, key in ipairs(KEYS) do
  local per_second, wanted = tonumber(ARGV[2 * index - 1]), tonumber(ARGV[2 * index])
  local paid_at = math.max(number_of(key) or now, now)
  paid_at = math.min(paid_at, now + WINDOW) -- further ahead only when the clock was set back
  local admitted = math.min(wanted, math.floor((now + WINDOW - paid_at) * per_second / 1e6))
  if admitted > 0 then
    paid_at = paid_at + admitted * 1e6 / per_second
    redis.call('SET', key, string.format('%.17g', paid_at), 'PX', math.ceil((paid_at - now) / 1000))
  end
  answer[2 * index - 1] = admitted
  answer[2 * index] = admitted < wanted and math.ceil(paid_at + 1e6 / per_second - WINDOW - now) or 0
end
return answer
