#!lua flags=allow-oom
-- Removes the entries through a position from the stream and raises the low-water mark, in one step.
-- ARGV: stream, key prefix, the position, the one right after it. Does nothing when the mark is there already,
-- nor in a store that is not open: it is another one than was looked at.

-- include: life.lua
-- include: positions.lua
if not is_open or not is_after(ARGV[3], redis.call('GET', ARGV[2] .. 'trimmed')) then return 0 end
redis.call('SET', ARGV[2] .. 'trimmed', ARGV[3])
return redis.call('XTRIM', ARGV[1], 'MINID', '=', ARGV[4])
