#!lua flags=allow-oom
-- Takes entries that are in the database out of the index, and raises the position through which they are.
--
-- ARGV: stream, key prefix, position through which the database has everything, most entries, positions of dead letters.
-- Works in a full store too: it makes room. Done by the log itself, so it can be done again after any death.
-- Returns how many entries there were; fewer than asked for: none is left.

-- include: positions.lua

local stream, prefix, through, limit = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local persisted = redis.call('GET', prefix .. 'persisted') or '0-0'
if not is_after(through, persisted) then return 0 end

local dead = {}
for at = 5, #ARGV do dead[ARGV[at]] = true end

local entries = redis.call('XRANGE', stream, '(' .. persisted, through, 'COUNT', limit)
local ids = {}
for _, entry in ipairs(entries) do
    for at = 1, #entry[2], 2 do
        if entry[2][at] == 'command_id' and not dead[entry[1]] then ids[#ids + 1] = entry[2][at + 1] end
    end
end
for at = 1, #ids, 1000 do
    redis.call('HDEL', prefix .. 'pending', unpack(ids, at, math.min(at + 999, #ids)))
end
redis.call('SET', prefix .. 'persisted', #entries < limit and through or entries[#entries][1])
return #entries
