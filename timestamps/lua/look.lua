-- What the index of unpersisted entries knows of some ids. ARGV: stream, key prefix, ids.
-- Returns the position through which all was persisted, and what the index has of each id. Without the mark the store
-- is fresh or came back empty: until the archive has told which, any id may be one that was handed out.

local pending = ARGV[2] .. 'pending'
local found = {}
for at = 3, #ARGV do
    found[at - 2] = redis.call('HGET', pending, ARGV[at])
end
return {redis.call('GET', ARGV[2] .. 'persisted') or '9223372036854775807-0', found}
