-- The last id that a stream gave; '0-0' where there is none. For scripts with the stream in ARGV[1].

local function last_id()
    if redis.call('EXISTS', ARGV[1]) == 0 then return '0-0' end
    local info = redis.call('XINFO', 'STREAM', ARGV[1])
    for at = 1, #info, 2 do
        if info[at] == 'last-generated-id' then return info[at + 1] end
    end
end
