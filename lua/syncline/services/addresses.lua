--- Addresses of clients: which one stands for a request that came through proxies, and what counts as one
--- place when calls are limited.
local addresses = {}

local function read_v4(text)
    local parts = { text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$") }
    if #parts ~= 4 then
        return nil
    end
    local bytes = {}
    for i, part in ipairs(parts) do
        local number = tonumber(part)
        if number > 255 or #part > 3 then
            return nil
        end
        bytes[i] = string.char(number)
    end
    return table.concat(bytes)
end

-- Groups of four hexadecimal digits as bytes; the last one may be an IPv4 address.
local function read_groups(text)
    local bytes = {}
    if text == "" then
        return ""
    end
    for group in (text .. ":"):gmatch("([^:]*):") do
        local number = #group <= 4 and group:match("^%x+$") and tonumber(group, 16)
        if number then
            bytes[#bytes + 1] = string.char(math.floor(number / 256), number % 256)
        else
            bytes[#bytes + 1] = read_v4(group)
            if not bytes[#bytes] or #bytes[#bytes] ~= 4 then
                return nil
            end
        end
    end
    return table.concat(bytes)
end

local MAPPED = ("\0"):rep(10) .. "\255\255"

local function read_v6(text)
    local head, tail = text:match("^(.-)::(.*)$")
    local first, last = read_groups(head or text), read_groups(tail or "")
    if not first or not last then
        return nil
    end
    local missing = 16 - #first - #last
    if head and missing < 2 or not head and missing ~= 0 then
        return nil
    end
    local bytes = first .. ("\0"):rep(missing) .. last
    return bytes:sub(1, 12) == MAPPED and bytes:sub(13) or bytes
end

---The bytes of an address, 4 or 16; an IPv4 address in the clothes of IPv6 has 4. A zone or a port, as in
---`[::1]:80`, does not belong to it.
---@param text string
---@return string?
function addresses.read(text)
    if #text > 80 then
        return nil
    end
    text = text:match("^%[([^%]]*)%]") or text:match("^([%d.]+):%d+$") or text
    text = text:gsub("%%.*$", "")
    return text:find(":", 1, true) and read_v6(text) or read_v4(text)
end

---What counts as one place: an IPv4 address, or the /64 of an IPv6 address, which one customer has as a whole.
---@param text string
---@return string
function addresses.place(text)
    local bytes = addresses.read(text)
    return bytes and (#bytes == 16 and bytes:sub(1, 8) or bytes) or text
end

local function read_range(text)
    local address, bits = text:match("^([^/]+)/(%d+)$")
    local bytes = addresses.read(address or text)
    if not bytes then
        return nil
    end
    bits = bits and tonumber(bits) or #bytes * 8
    if bits > #bytes * 8 then
        return nil
    end
    return { bytes = bytes, bits = bits }
end

local function inside(bytes, range)
    local whole = math.floor(range.bits / 8)
    if #bytes ~= #range.bytes or bytes:sub(1, whole) ~= range.bytes:sub(1, whole) then
        return false
    end
    local unit = 2 ^ (8 - range.bits % 8)
    return unit == 256
        or math.floor(bytes:byte(whole + 1) / unit) == math.floor(range.bytes:byte(whole + 1) / unit)
end

---Reads a list of addresses and ranges, `"10.0.0.0/8"`.
---@param list string[]
---@return table[]? ranges
---@return string? message
function addresses.ranges(list)
    local ranges = {}
    for i, text in ipairs(list) do
        ranges[i] = type(text) == "string" and read_range(text)
        if not ranges[i] then
            return nil, ("'%s' is neither an address nor a range like 10.0.0.0/8"):format(tostring(text))
        end
    end
    return ranges
end

---@param text string
---@param ranges table[]
---@return boolean
function addresses.within(text, ranges)
    local bytes = addresses.read(text)
    for _, range in ipairs(bytes and ranges or {}) do
        if inside(bytes, range) then
            return true
        end
    end
    return false
end

-- Of a chain of proxies only the last entries are looked at: everything else was written by strangers.
local MAX_HOPS = 16

---The address of the client that a request came from. A proxy that is trusted says in X-Forwarded-For whom it
---speaks for; the entries are believed from the last to the first, as long as whoever wrote one is trusted.
---@param peer string address of the connection
---@param forwarded string? the header
---@param trusted table[] ranges
---@return string
function addresses.client(peer, forwarded, trusted)
    local client, entries = peer, {}
    if not forwarded or not addresses.within(peer, trusted) then
        return peer
    end
    for entry in forwarded:sub(-1024):gmatch("[^,%s]+") do
        entries[#entries + 1] = entry
    end
    for i = #entries, math.max(1, #entries - MAX_HOPS + 1), -1 do
        if not addresses.read(entries[i]) then
            return client
        end
        client = entries[i]:match("^%[([^%]]*)%]") or entries[i]:match("^([%d.]+):%d+$") or entries[i]
        if not addresses.within(client, trusted) then
            return client
        end
    end
    return client
end

return addresses
