-- Whether the store is open, its mark `trimmed` (empty without one) and the last id of its stream.
-- ARGV: stream, key prefix.

local life = redis.call('GET', ARGV[2] .. 'life')
local is_open = life == redis.call('INFO', 'server'):match('run_id:(%x+)')
local last = '0-0'
if redis.call('EXISTS', ARGV[1]) == 1 then
    local info = redis.call('XINFO', 'STREAM', ARGV[1])
    for at = 1, #info, 2 do
        if info[at] == 'last-generated-id' then last = info[at + 1] end
    end
end
return {is_open and 1 or 0, redis.call('GET', ARGV[2] .. 'trimmed') or '', last}
