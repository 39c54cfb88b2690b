-- Idempotency records, in a hash for each span of `record_seconds`, which is kept for two of them.
-- For scripts with the locals `prefix`, `record_seconds` and `most_records`.

local bucket = math.floor(redis.call('TIME')[1] / record_seconds)

local function records(at)
    return prefix .. 'marks:' .. string.format('%d', at)
end

-- In the next bucket too: the clock may have been set back.
local function find_record(digest)
    for at = bucket + 1, bucket - 1, -1 do
        local found = redis.call('HGET', records(at), digest)
        if found then return found end
    end
    return false
end

local function has_room_for_record()
    return redis.call('HLEN', records(bucket)) + redis.call('HLEN', records(bucket - 1)) < most_records
end

local function keep_record(digest, value)
    local is_first = redis.call('EXISTS', records(bucket)) == 0
    redis.call('HSET', records(bucket), digest, value)
    if is_first then redis.call('EXPIRE', records(bucket), 2 * record_seconds) end
end
