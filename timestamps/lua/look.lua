-- What the index of unpersisted entries knows of some ids. ARGV: stream, key prefix, ids.
-- Returns the position through which all was persisted, and what the index has of each id. A store that is not open may
-- have lost what it had: any id may be one that was handed out.

-- include: life.lua
local pending = ARGV[2] .. 'pending'
local found = {}
for at = 3, #ARGV do
    found[at - 2] = redis.call('HGET', pending, ARGV[at])
end
return {is_open and redis.call('GET', ARGV[2] .. 'persisted') or '9223372036854775807-0', found}
