-- When all failed attempts of a subject are paid, in microseconds of this clock. Each costs a share of a window.

local EPOCH = 1767225600 -- 2026, so that a double holds fractions of a microsecond

local function microseconds_of(time)
    return (time[1] - EPOCH) * 1e6 + time[2]
end

local function paid_at_of(key, now, window)
    return math.min(math.max(number_of(key) or now, now), now + 2 * window)
end
