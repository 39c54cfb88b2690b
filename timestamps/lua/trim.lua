#!lua flags=allow-oom
-- Removes the entries through a position from the stream and says so in the mark, in one step.
-- ARGV: stream, key prefix, the position, the one right after it. Does nothing when the mark is there already,
-- nor in a store that is not open: it is another one than was looked at.

local function parts(position)
    local ms, seq = position:match('^(%d+)-(%d+)$')
    return tonumber(ms), tonumber(seq)
end

if redis.call('GET', ARGV[2] .. 'life') ~= redis.call('INFO', 'server'):match('run_id:(%x+)') then return 0 end
local ms, seq = parts(ARGV[3])
local mark_ms, mark_seq = parts(redis.call('GET', ARGV[2] .. 'trimmed'))
if ms < mark_ms or (ms == mark_ms and seq <= mark_seq) then return 0 end
redis.call('SET', ARGV[2] .. 'trimmed', ARGV[3])
return redis.call('XTRIM', ARGV[1], 'MINID', '=', ARGV[4])
