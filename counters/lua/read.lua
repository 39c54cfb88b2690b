-- What all generations hold for some keys.
--
-- ARGV: key prefix, then for each key: shard, key (16 bytes).
-- Returns the time in ms, then for each key a flat list of: generation, delta, time in ms of the generation's first
-- delta.

local prefix = ARGV[1]
local time = redis.call('TIME')
local generations = {}

local function generations_of(shard)
    if not generations[shard] then
        generations[shard] = redis.call('LRANGE', prefix .. 'generations:' .. shard, 0, -1)
    end
    return generations[shard]
end

local answers = {time[1] * 1000 + math.floor(time[2] / 1000)}
for at = 2, #ARGV, 2 do
    local found = {}
    for _, generation in ipairs(generations_of(ARGV[at])) do
        local hash = prefix .. 'pending:' .. generation
        local delta = redis.call('HGET', hash, ARGV[at + 1])
        if delta then
            found[#found + 1] = generation
            found[#found + 1] = delta
            found[#found + 1] = redis.call('HGET', hash, 'since')
        end
    end
    answers[#answers + 1] = found
end
return answers
