-- How much waits, and for how long. ARGV: key prefix, shards, seconds that idempotency records are kept.
-- Returns the keys of all segments, the time in ms of the oldest delta (0 if there is none), the time in ms, the
-- names of all segments, and how many idempotency records are kept.

local prefix = ARGV[1]
local time = redis.call('TIME')
local keys, oldest, names = 0, 0, {}
for shard = 0, tonumber(ARGV[2]) - 1 do
    for _, segment in ipairs(redis.call('LRANGE', prefix .. 'generations:' .. shard, 0, -1)) do
        local hash = prefix .. 'pending:' .. segment
        local since = tonumber(redis.call('HGET', hash, 'since') or 0)
        names[#names + 1] = segment
        if since > 0 then
            keys = keys + redis.call('HLEN', hash) - 1
            if oldest == 0 or since < oldest then oldest = since end
        end
    end
end
local records, bucket = 0, math.floor(time[1] / tonumber(ARGV[3]))
for at = bucket - 1, bucket do
    records = records + redis.call('HLEN', prefix .. 'marks:' .. string.format('%d', at))
end
return {keys, oldest, time[1] * 1000 + math.floor(time[2] / 1000), names, records}
