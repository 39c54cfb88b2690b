-- What is flagged, how much of a window subjects have used up, and the time.
--
-- KEYS: a sorted set of asked codes, then one key per code, then one per subject.
-- ARGV: seconds that asking counts, most codes that are kept, the window of failed attempts in seconds, then for each code its
-- name where it was refused before, else nothing: those are the ones whose flags are renewed in time.
-- Returns the time in ms, then for each code nothing, or its stamp and the milliseconds that are left of its flag, then
-- for each subject the microseconds until all failed attempts are paid.

-- include: ../../common/lua/cached.lua
-- include: paid.lua

local codes = #ARGV - 3
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'zset' then redis.call('DEL', KEYS[1]) end
local time = redis.call('TIME')
local answer = {time[1] * 1000 + math.floor(time[2] / 1000)}
for index = 2, codes + 1 do
    local found = text_of(KEYS[index], '^[xo] %d+ %d+$')
    answer[index] = {}
    if found and found:sub(1, 1) == 'x' then
        answer[index] = {found:sub(3), redis.call('PTTL', KEYS[index])}
    end
    if ARGV[index + 2] ~= '' then redis.call('ZADD', KEYS[1], time[1], ARGV[index + 2]) end
end
local now = microseconds_of(time)
for index = codes + 2, #KEYS do
    answer[index] = math.ceil(paid_at_of(KEYS[index], now, ARGV[3] * 1e6) - now)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] - ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[2])
return answer
