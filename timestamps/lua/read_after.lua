-- The next entries of the stream. ARGV: stream, key prefix, position, most entries.
-- Returns them, or nothing when the stream was trimmed beyond the position: the range would silently lack entries. The
-- same without a mark: a store that came back empty has lost it, and the log's beginning is in the archive.

local function parts(position)
    local ms, seq = position:match('^(%d+)-(%d+)$')
    return tonumber(ms), tonumber(seq)
end

local trimmed = redis.call('GET', ARGV[2] .. 'trimmed')
if not trimmed then return false end
local ms, seq = parts(ARGV[3])
local trimmed_ms, trimmed_seq = parts(trimmed)
if ms < trimmed_ms or (ms == trimmed_ms and seq < trimmed_seq) then return false end
return redis.call('XRANGE', ARGV[1], '(' .. ARGV[3], '+', 'COUNT', ARGV[4])
