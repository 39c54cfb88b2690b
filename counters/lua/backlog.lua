-- How much waits, and for how long. ARGV: key prefix, shards.
-- Returns the distinct keys of all generations, the time in ms of the oldest delta (0 if there is none), the time in ms,
-- the names of all generations, and how many marks are kept. ARGV[3]: seconds that marks are kept.

local prefix = ARGV[1]
local time = redis.call('TIME')
local keys, oldest, names = 0, 0, {}
for shard = 0, tonumber(ARGV[2]) - 1 do
    for _, generation in ipairs(redis.call('LRANGE', prefix .. 'generations:' .. shard, 0, -1)) do
        local hash = prefix .. 'pending:' .. generation
        local since = tonumber(redis.call('HGET', hash, 'since') or 0)
        names[#names + 1] = generation
        if since > 0 then
            keys = keys + redis.call('HLEN', hash) - 1
            if oldest == 0 or since < oldest then oldest = since end
        end
    end
end
local marks, hour = 0, math.floor(time[1] / tonumber(ARGV[3]))
for at = hour - 1, hour do
    marks = marks + redis.call('HLEN', prefix .. 'marks:' .. string.format('%d', at))
end
return {keys, oldest, time[1] * 1000 + math.floor(time[2] / 1000), names, marks}
