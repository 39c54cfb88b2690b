-- Appends the instants of several submissions to the log.
--
-- ARGV: stream, key prefix, most entries of the stream, seconds that idempotency records are kept, most of those, then
--       for each submission: digest and fingerprint of its idempotency record (both empty without one), eight random
--       hexadecimal digits, its correlation id, its instants (with a comma between).
-- Returns for each submission a letter and an id: A it was appended, R it was before (with that first id), X its record
--       was there with another content, F the log is full, M too many records are kept, N the store is not open.

local stream, prefix = ARGV[1], ARGV[2]
local most_entries, record_seconds, most_records = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local SEQUENCES = 16777216 -- of one millisecond, as ids have room for (timestamps/ids.py)
-- include: ../../../common/lua/idempotency.lua
-- include: life.lua
-- include: lastid.lua
local length = redis.call('XLEN', stream)
local ms, seq = last_id():match('^(%d+)-(%d+)$')
ms, seq = tonumber(ms), tonumber(seq)
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- The sequence number of the first of `count` entries of the millisecond `ms`, behind all that there are.
local function take_place(count)
    if now > ms then
        ms, seq = now, -1
    elseif seq + count >= SEQUENCES then
        ms, seq = ms + 1, -1
    end
    local first = seq + 1
    seq = seq + count
    return first
end

local function id_at(sequence, random)
    local position = string.format('%08x-%04x-7%03x-8%03x', math.floor(ms / 65536), ms % 65536,
        math.floor(sequence / 4096), sequence % 4096)
    return position .. '-0000' .. random
end

-- 10,000 entries take some 40 ms of an idle machine.
local function append(first, random, correlation_id, instants)
    for instant in instants:gmatch('[^,]+') do
        redis.call('XADD', stream, string.format('%d-%d', ms, first), 'command_id', id_at(first, random),
            'event_timestamp', instant, 'correlation_id', correlation_id)
        first = first + 1
    end
end

local function submit(digest, fingerprint, random, correlation_id, instants)
    local found = digest ~= '' and find_record(digest)
    if found then
        return found:sub(1, #fingerprint) == fingerprint and 'R' .. found:sub(#fingerprint + 1) or 'X'
    end
    local _, commas = instants:gsub(',', '')
    local count = commas + 1
    if length + count > most_entries then return 'F' end
    if digest ~= '' and not has_room_for_record() then return 'M' end
    local first = take_place(count)
    local first_id = id_at(first, random)
    if digest ~= '' then keep_record(digest, fingerprint .. first_id) end
    append(first, random, correlation_id, instants)
    length = length + count
    return 'A' .. first_id
end

local answers = {}
for at = 6, #ARGV, 5 do
    answers[#answers + 1] = not is_open and 'N' or submit(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
end
return answers
