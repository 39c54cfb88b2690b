-- Keys of the cache may hold anything. What is not of the form that we write counts as missing, and goes.

local function text_of(key, form)
    local found = redis.pcall('GET', key)
    if not found or (type(found) == 'string' and found:match(form)) then return found end
    redis.call('DEL', key)
    return false
end

local function number_of(key)
    local number = tonumber(text_of(key, '^%-?%d+%.?%d*$') or nil)
    if number and math.abs(number) < math.huge then return number end
end
