#!lua flags=allow-oom
-- Closes the shard's open generation, unless it is empty, by opening the next one.
--
-- KEYS: none, as the names of generations are only known here. ARGV: key prefix, shard, name of the next generation.
-- Works in a full store too: flushing is what makes room.
-- Returns the closed generations, oldest first; nothing is ever added to them again.

local prefix, shard, next_generation = ARGV[1], ARGV[2], ARGV[3]
local list = prefix .. 'generations:' .. shard
local generations = redis.call('LRANGE', list, 0, -1)
if #generations == 0 then return generations end
if redis.call('EXISTS', prefix .. 'pending:' .. generations[#generations]) == 0 then
    table.remove(generations)
else
    redis.call('RPUSH', list, next_generation)
end
return generations
