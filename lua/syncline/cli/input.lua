-- Changesets from files: as bytes, or as hexadecimal or base64 text.

local input = {}

local FORMS = { auto = true, binary = true, hex = true, base64 = true }

local function read_input(path)
    if path == "-" then return io.read("*a") end
    local file, message = io.open(path, "rb")
    if not file then error({ failure = message }) end
    local data = file:read("*a")
    file:close()
    if not data then error({ failure = path .. ": cannot be read (is it a directory?)" }) end
    return data
end

local function from_hex(text)
    local digits = text:gsub("^0[xX]", ""):gsub("[%s:]", "")
    if digits == "" or #digits % 2 == 1 or digits:find("[^%x]") then return nil end
    return (digits:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function from_base64(text)
    local body = text:gsub("%s", ""):gsub("-", "+"):gsub("_", "/"):gsub("=+$", "")
    if body == "" or #body % 4 == 1 or body:find("[^%w+/]") then return nil end
    local out, bits, count = {}, 0, 0
    for i = 1, #body do
        bits = bits * 64 + ALPHABET:find(body:sub(i, i), 1, true) - 1
        count = count + 6
        if count >= 8 then
            count = count - 8
            local byte = math.floor(bits / 2 ^ count)
            bits = bits - byte * 2 ^ count
            out[#out + 1] = string.char(byte)
        end
    end
    return table.concat(out)
end

-- Binary changesets contain bytes that no text has; what is text is hex if it can be, else base64.
local function decode(data, form)
    if form == "binary" then return data end
    if form == "hex" or form == "auto" and not data:find("[^%x%s:xX]") and data:find("%x") then
        local bytes = from_hex(data)
        if bytes then return bytes end
        if form == "hex" then error({ failure = "the input is not hexadecimal text" }) end
    end
    if form == "base64" or form == "auto" and not data:find("[^%w+/=_%s-]") and data:find("%w") then
        local bytes = from_base64(data)
        if bytes then return bytes end
        if form == "base64" then error({ failure = "the input is not base64 text" }) end
    end
    return data
end

---The bytes of the changeset in a file, "-" is standard input.
---@param path string
---@param form string|nil auto (default), binary, hex or base64
---@return string
function input.changeset(path, form)
    if not FORMS[form or "auto"] then
        error({ usage = ("--input: '%s' is none of auto, binary, hex, base64"):format(form) })
    end
    return decode(read_input(path), form or "auto")
end

return input
