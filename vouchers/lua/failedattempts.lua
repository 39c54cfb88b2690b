-- GCRA of refusals: counts what was refused, and says how much of a window each has used up.
--
-- KEYS: one per subject. ARGV: for each the refusals that a window allows, the window in seconds, the refusals to add.
-- Returns for each the microseconds until all of its refusals are paid; each of them costs window / limit.

-- include: ../../common/lua/cached.lua
-- include: paid.lua

local now = microseconds_of(redis.call('TIME'))
local answer = {}
for index, key in ipairs(KEYS) do
    local limit, seconds, more = unpack(ARGV, 3 * index - 2, 3 * index)
    local window = seconds * 1e6
    local paid_at = paid_at_of(key, now, window)
    if tonumber(more) > 0 then
        paid_at = math.min(paid_at + more * window / limit, now + 2 * window)
        redis.call('SET', key, string.format('%.17g', paid_at), 'PX', math.ceil((paid_at - now) / 1000))
    end
    answer[index] = math.ceil(paid_at - now)
end
return answer
