-- Flags of vouchers that cannot be redeemed, and marks of those that changed.
--
-- KEYS: one per code. ARGV: for each "x" (refused) or "o" (changed), revision, redeemed, until when in ms of this clock.
-- What is older than the key's own revision and count is not written: it was seen before the change that wrote them.

-- include: ../../common/lua/cached.lua

local function is_newer(revision, redeemed, than)
    local has_revision, has_redeemed = than:match('^%a (%d+) (%d+)$')
    has_revision, has_redeemed = tonumber(has_revision), tonumber(has_redeemed)
    return revision > has_revision or (revision == has_revision and redeemed >= has_redeemed)
end

for place, key in ipairs(KEYS) do
    local kind, revision, redeemed, until_ms = unpack(ARGV, 4 * place - 3, 4 * place)
    local found = text_of(key, '^[xo] %d+ %d+$')
    if not found or is_newer(tonumber(revision), tonumber(redeemed), found) then
        redis.call('SET', key, kind .. ' ' .. revision .. ' ' .. redeemed, 'PXAT', until_ms)
    end
end
