#!lua flags=allow-oom
-- Lets a store that has started be the log again. Returns whether it was not open.
-- ARGV: stream, key prefix, where the archive ends, the position right after it, the one that new entries must come
--       after.
--
-- A store without the low-water mark, or whose stream ends before the archive does, is empty or an older copy: the log
-- is the archive up to its end and goes on from there. Any other has what the archive has since its mark, as entries
-- only come at the end. Works in a full store too.

local stream, prefix, archived, after_archived, floor = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
-- include: life.lua
-- include: positions.lua
-- include: lastid.lua

if is_open then return 0 end
local last = last_id()
if not redis.call('GET', prefix .. 'trimmed') or is_after(archived, last) then
    redis.call('XTRIM', stream, 'MINID', '=', after_archived)
    redis.call('SET', prefix .. 'trimmed', archived)
    local high_mark = redis.call('GET', prefix .. 'persisted')
    if not high_mark or is_after(archived, high_mark) then redis.call('SET', prefix .. 'persisted', archived) end
end
if is_after(floor, last) then
    redis.call('XADD', stream, floor, 'floor', '')
    redis.call('XDEL', stream, floor)
end
redis.call('UNLINK', prefix .. 'pending') -- an index that was kept before ids had positions
redis.call('SET', prefix .. 'life', run_id)
return 1
