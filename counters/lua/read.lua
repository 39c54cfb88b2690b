-- What all segments hold for some keys.
--
-- ARGV: key prefix, then for each key: shard, key (16 bytes).
-- Returns the time in ms, then for each key a flat list of: segment, delta, time in ms of the segment's first
-- delta.

local prefix = ARGV[1]
local time = redis.call('TIME')
local segments = {}

local function segments_of(shard)
    if not segments[shard] then
        segments[shard] = redis.call('LRANGE', prefix .. 'generations:' .. shard, 0, -1)
    end
    return segments[shard]
end

local answers = {time[1] * 1000 + math.floor(time[2] / 1000)}
for at = 2, #ARGV, 2 do
    local found = {}
    for _, segment in ipairs(segments_of(ARGV[at])) do
        local hash = prefix .. 'pending:' .. segment
        local delta = redis.call('HGET', hash, ARGV[at + 1])
        if delta then
            found[#found + 1] = segment
            found[#found + 1] = delta
            found[#found + 1] = redis.call('HGET', hash, 'since')
        end
    end
    answers[#answers + 1] = found
end
return answers
