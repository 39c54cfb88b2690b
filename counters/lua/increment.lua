-- Adds the increments of several submissions to the open segments of their shards.
--
-- ARGV: key prefix, stem of names for segments (30 hex digits), shards, most pending keys, most keys of a segment,
--       seconds that idempotency records are kept, most of those, then for each submission: digest and fingerprint of
--       its idempotency record (both empty without one), its keys (16 bytes each), its values (with a comma between).
-- Returns for each submission a letter and, for each increment, 1 if it is added now, 2 if it was before, and 0 if its
--       sum had no room: A no record was there, R one was, X one with another content, F the buffer is full, M too many
--       records are kept.

local prefix, stem, shards = ARGV[1], ARGV[2], tonumber(ARGV[3])
local most_pending, most_keys = tonumber(ARGV[4]), tonumber(ARGV[5])
local record_seconds, most_records = tonumber(ARGV[6]), tonumber(ARGV[7])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
-- include: ../../common/lua/idempotency.lua

local function pending_keys()
    local keys = 0
    for shard = 0, shards - 1 do
        for _, segment in ipairs(redis.call('LRANGE', prefix .. 'generations:' .. shard, 0, -1)) do
            keys = keys + math.max(redis.call('HLEN', prefix .. 'pending:' .. segment) - 1, 0)
        end
    end
    return keys
end

local BEFORE = string.byte('2')
local is_full = pending_keys() >= most_pending
local open = {}

-- The hash that the shard's deltas go to now; a large one is left behind, so that a flush has bounded work.
local function open_hash(shard)
    local list = prefix .. 'generations:' .. shard
    local segment = redis.call('LINDEX', list, -1)
    if not segment or redis.call('HLEN', prefix .. 'pending:' .. segment) > most_keys then
        segment = stem .. string.format('%02x', shard)
        redis.call('RPUSH', list, segment)
    end
    open[shard] = prefix .. 'pending:' .. segment
    redis.call('HSETNX', open[shard], 'since', now_ms)
    return open[shard]
end

local function add(key, value)
    local shard = (key:byte(4) + key:byte(16)) % shards
    local added = redis.pcall('HINCRBY', open[shard] or open_hash(shard), key, value)
    return type(added) == 'number' and '1' or '0'
end

-- Nearly always all were added, and then the fingerprint says it.
local function keep_outcomes(digest, fingerprint, outcomes)
    local after = outcomes:find('0') and outcomes:gsub('1', '2') or ''
    keep_record(digest, fingerprint .. after)
end

local function add_missing(before, keys, values)
    local outcomes, item = {}, 0
    for value in values:gmatch('%d+') do
        local key = keys:sub(16 * item + 1, 16 * item + 16)
        item = item + 1
        outcomes[item] = before:byte(item) == BEFORE and '2' or add(key, value)
    end
    return table.concat(outcomes)
end

local function submit(digest, fingerprint, keys, values)
    local found = digest ~= '' and find_record(digest)
    if found and found:sub(1, #fingerprint) ~= fingerprint then return 'X' end
    local before = found and found:sub(#fingerprint + 1) or ''
    if found and before == '' then return 'R' .. string.rep('2', #keys / 16) end
    if is_full then return found and 'R' .. before or 'F' end
    if digest ~= '' and not found and not has_room_for_record() then return 'M' end
    local after = add_missing(before, keys, values)
    if digest ~= '' and after:find('1') then keep_outcomes(digest, fingerprint, after) end
    return (found and 'R' or 'A') .. after
end

local answers = {}
for at = 8, #ARGV, 4 do
    answers[#answers + 1] = submit(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
end
return answers
