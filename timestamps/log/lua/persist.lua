#!lua flags=allow-oom
-- Raises the high-water mark: the position through which the database has everything. ARGV: stream, key prefix, the position.

-- include: positions.lua
local mark = ARGV[2] .. 'persisted'
if is_after(ARGV[3], redis.call('GET', mark) or '0-0') then redis.call('SET', mark, ARGV[3]) end
