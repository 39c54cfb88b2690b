-- Appends the instants of several submissions to the log and to the index of what is not in the database yet.
--
-- ARGV: stream, key prefix, most entries of the stream, seconds that marks are kept, most marks, then for each
--       submission: digest and fingerprint of its mark (both empty without one), its first id in text, its correlation
--       id, its instants (with a comma between).
-- The last eight digits of the first id count its entries' ids up.
-- Returns for each submission a letter and an id: A it was appended, R it was before (with that first id), X its mark
--       was there with another content, F the log is full, M too many marks are kept, N the store is not open.

local stream, prefix = ARGV[1], ARGV[2]
local most_entries, mark_seconds, most_marks = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
-- include: ../../common/lua/marks.lua
-- include: life.lua
local pending = prefix .. 'pending'
local length = redis.call('XLEN', stream)

-- The index in groups, as each call from a script has its price. 10,000 entries take some 100 ms of an idle machine.
local function append(first_id, correlation_id, instants)
    local stem, number = first_id:sub(1, 28), tonumber(first_id:sub(29), 16)
    local ending, waiting = ' ' .. correlation_id, {}
    for instant in instants:gmatch('[^,]+') do
        local id = stem .. string.format('%08x', number)
        number = number + 1
        redis.call('XADD', stream, '*', 'command_id', id, 'event_timestamp', instant, 'correlation_id', correlation_id)
        waiting[#waiting + 1] = id
        waiting[#waiting + 1] = instant .. ending
    end
    length = length + #waiting / 2
    for at = 1, #waiting, 2000 do
        redis.call('HSET', pending, unpack(waiting, at, math.min(at + 1999, #waiting)))
    end
end

local function submit(digest, fingerprint, first_id, correlation_id, instants)
    local found = digest ~= '' and find_mark(digest)
    if found then
        return found:sub(1, #fingerprint) == fingerprint and 'R' .. found:sub(#fingerprint + 1) or 'X'
    end
    local _, commas = instants:gsub(',', '')
    if length + commas + 1 > most_entries then return 'F' end
    if digest ~= '' then
        if not has_room_for_marks() then return 'M' end
        keep_mark(digest, fingerprint .. first_id)
    end
    append(first_id, correlation_id, instants)
    return 'A' .. first_id
end

local answers = {}
for at = 6, #ARGV, 5 do
    answers[#answers + 1] = not is_open and 'N' or submit(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
end
return answers
