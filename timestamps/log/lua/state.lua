-- Whether the store is open, its low-water mark (empty without one) and the last id of its stream.
-- ARGV: stream, key prefix.

-- include: life.lua
-- include: lastid.lua
return {is_open and 1 or 0, redis.call('GET', ARGV[2] .. 'trimmed') or '', last_id()}
