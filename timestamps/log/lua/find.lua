-- The entries at some positions that the database may not have yet. ARGV: stream, key prefix, positions.
-- Returns the high-water mark, and for each position after it the fields of its entry, if it is there. A store that is
-- not open may have lost what it had: any id may be one that was handed out.

-- include: life.lua
-- include: positions.lua
local high_mark = redis.call('GET', ARGV[2] .. 'persisted') or '0-0'
local found = {}
for at = 3, #ARGV do
    local entry = is_after(ARGV[at], high_mark) and redis.call('XRANGE', ARGV[1], ARGV[at], ARGV[at])[1]
    found[at - 2] = entry and entry[2] or false
end
return {is_open and high_mark or '9223372036854775807-0', found}
