-- Positions of the log, as text.

-- Whether position `a` comes after `b`.
local function is_after(a, b)
    local ams, aseq = a:match('^(%d+)-(%d+)$')
    local bms, bseq = b:match('^(%d+)-(%d+)$')
    ams, aseq, bms, bseq = tonumber(ams), tonumber(aseq), tonumber(bms), tonumber(bseq)
    return ams > bms or (ams == bms and aseq > bseq)
end
