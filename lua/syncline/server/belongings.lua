-- Which partitions belong to a user alone: those whose value names the user and nobody else.

local core = require("syncline.core")

local belongings = {}

-- The words of a partition: longest runs of letters and digits.
local function words_of(canonical)
    local decoded = core.json.decode(canonical)
    local text = type(decoded) == "string" and decoded or canonical
    return text:gmatch("%w+")
end

---Whether a partition belongs to a user alone: its value is the user's id, or contains it as a word of its own
---("user=ID", "ID/notes", the ObjectId with these digits), and no id of another user.
---@param canonical string the partition in the core's spelling
---@param id string
---@param is_user fun(id: string): boolean whether somebody has this id
---@return boolean
function belongings.is_of(canonical, id, is_user)
    local named = false
    for word in words_of(canonical) do
        if word == id then
            named = true
        elseif #word == #id and is_user(word) then
            return false
        end
    end
    return named
end

return belongings
