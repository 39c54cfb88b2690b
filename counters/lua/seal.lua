#!lua flags=allow-oom
-- Closes the shard's open segment, unless it is empty, by opening the next one.
--
-- KEYS: none, as the names of segments are only known here. ARGV: key prefix, shard, name of the next segment.
-- Works in a full store too: flushing is what makes room.
-- Returns the closed segments, oldest first; nothing is ever added to them again.

local prefix, shard, next_segment = ARGV[1], ARGV[2], ARGV[3]
local list = prefix .. 'generations:' .. shard
local segments = redis.call('LRANGE', list, 0, -1)
if #segments == 0 then return segments end
if redis.call('EXISTS', prefix .. 'pending:' .. segments[#segments]) == 0 then
    table.remove(segments)
else
    redis.call('RPUSH', list, next_segment)
end
return segments
