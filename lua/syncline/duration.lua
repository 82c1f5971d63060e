-- Spans of time as people write them: 90, "90s", "15m", "12h", "30d".

local duration = {}

local UNITS = { s = 1, m = 60, h = 3600, d = 86400 }

---Whole seconds, or nil if it is no span of time (or longer than a century).
---@param given number|string
---@return integer|nil
function duration.seconds(given)
    local number, unit = given, "s"
    if type(given) == "string" then
        number, unit = given:match("^(%d+)([smhd]?)$")
        number = tonumber(number)
    end
    if type(number) ~= "number" or number < 0 or number % 1 ~= 0 then return nil end
    local seconds = number * UNITS[unit == "" and "s" or unit]
    return seconds <= 36525 * 86400 and seconds or nil
end

return duration
