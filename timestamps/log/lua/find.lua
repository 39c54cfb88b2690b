-- The entries at some positions that the database may not have yet. ARGV: stream, key prefix, positions.
-- Returns the position through which all was persisted, and for each one after it the fields of its entry, if it is
-- there. A store that is not open may have lost what it had: any id may be one that was handed out.

-- include: life.lua
-- include: positions.lua
local persisted = redis.call('GET', ARGV[2] .. 'persisted') or '0-0'
local found = {}
for at = 3, #ARGV do
    local entry = is_after(ARGV[at], persisted) and redis.call('XRANGE', ARGV[1], ARGV[at], ARGV[at])[1]
    found[at - 2] = entry and entry[2] or false
end
return {is_open and persisted or '9223372036854775807-0', found}
