-- Marks of Idempotency-Keys, in a hash for each span of `mark_seconds`, which is kept for two of them.
-- For scripts with the locals `prefix`, `mark_seconds` and `most_marks`.

local bucket = math.floor(redis.call('TIME')[1] / mark_seconds)

local function marks(at)
    return prefix .. 'marks:' .. string.format('%d', at)
end

-- In the next bucket too: the clock may have been set back.
local function find_mark(digest)
    for at = bucket + 1, bucket - 1, -1 do
        local found = redis.call('HGET', marks(at), digest)
        if found then return found end
    end
    return false
end

local function has_room_for_marks()
    return redis.call('HLEN', marks(bucket)) + redis.call('HLEN', marks(bucket - 1)) < most_marks
end

local function keep_mark(digest, value)
    local is_first = redis.call('EXISTS', marks(bucket)) == 0
    redis.call('HSET', marks(bucket), digest, value)
    if is_first then redis.call('EXPIRE', marks(bucket), 2 * mark_seconds) end
end
