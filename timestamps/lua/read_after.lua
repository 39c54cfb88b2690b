-- The next entries of the stream. ARGV: stream, key prefix, position, most entries.
-- Returns them, or nothing when the stream was trimmed beyond the position: the range would silently lack entries. The
-- same in a store that is not open: it may lack what the archive has.

local function parts(position)
    local ms, seq = position:match('^(%d+)-(%d+)$')
    return tonumber(ms), tonumber(seq)
end

if redis.call('GET', ARGV[2] .. 'life') ~= redis.call('INFO', 'server'):match('run_id:(%x+)') then return false end
local ms, seq = parts(ARGV[3])
local trimmed_ms, trimmed_seq = parts(redis.call('GET', ARGV[2] .. 'trimmed'))
if ms < trimmed_ms or (ms == trimmed_ms and seq < trimmed_seq) then return false end
return redis.call('XRANGE', ARGV[1], '(' .. ARGV[3], '+', 'COUNT', ARGV[4])
