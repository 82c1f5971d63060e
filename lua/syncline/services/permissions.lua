--- Who may read and write which partition. A rule is a Lua function or a declarative table; the first
--- rule that matches decides.
---
---   permissions = function(user, partition) return "write" end       -- "none", "read" or "write"
---   permissions = {
---       { partition = "public", access = "read" },
---       { partition = "user=%user.id", access = "write" },
---       { partition = "team-%user.data.team", user_data = { role = "editor" }, access = "write" },
---       { user = "65a1b2c3d4e5f60718293a4b", access = "write" },
---   }
---
--- Patterns match the text of a string partition: `*` stands for any run of characters, `%user.id` and
--- `%user.data.NAME` for facts about the user. Partitions that are no text are compared with
--- `partition = { kind = "int", value = "42" }`. Without rules everybody may write everywhere.
local permissions = {}

local LEVELS = { none = 0, read = 1, write = 2 }

---@class syncline.services.Partition
---@field kind string "string", "int", "objectid", "uuid" or "null"
---@field value string? its text; nil for null

local function fact(user, name)
    if name == "id" then
        return user.id
    end
    local field = name:match("^data%.(.+)$")
    local value = field and user.data[field]
    return type(value) == "string" and value or nil
end

-- The pattern with facts filled in, or nil if a fact is missing: then nothing can match.
local function fill(pattern, user)
    local missing = false
    local text = pattern:gsub("%%user%.([%w_.]*[%w_])", function(name)
        local value = fact(user, name)
        if not value then
            missing = true
        end
        return value
    end)
    return not missing and text or nil
end

local function matches(pattern, text, user)
    local parts, from = {}, 1
    -- Stars are found before facts are filled in: a star in a user's data is not a wildcard.
    repeat
        local star = pattern:find("*", from, true)
        local part = fill(pattern:sub(from, (star or 0) - 1), user)
        if not part then
            return false
        end
        parts[#parts + 1] = part:gsub("%p", "%%%0")
        from = (star or 0) + 1
    until not star
    return text:match("^" .. table.concat(parts, ".*") .. "$") ~= nil
end

local function rule_matches(rule, user, partition)
    if rule.user and rule.user ~= user.id then
        return false, "another user"
    end
    if type(rule.partition) == "string" then
        if partition.kind ~= "string" or not matches(rule.partition, partition.value, user) then
            return false, "another partition"
        end
    elseif type(rule.partition) == "table" then
        if rule.partition.kind ~= partition.kind or rule.partition.value ~= partition.value then
            return false, "another partition"
        end
    end
    for name, wanted in pairs(rule.user_data or {}) do
        if user.data[name] ~= wanted then
            return false, ("user data '%s' differs"):format(name)
        end
    end
    return true
end

---Decides, and says why.
---@param rules function|table|nil
---@param user syncline.services.User
---@param partition syncline.services.Partition
---@return string access "none", "read" or "write"
---@return string why
function permissions.decide(rules, user, partition)
    if rules == nil then
        return "write", "no rules are configured: everybody may write"
    end
    if type(rules) == "function" then
        local ok, access = pcall(rules, user, partition)
        if not ok then
            return "none", "the rule function failed: " .. tostring(access)
        end
        if access == true then
            access = "write"
        end
        if not LEVELS[access] then
            return "none", ("the rule function returned %s"):format(tostring(access))
        end
        return access, "the rule function decided"
    end
    for i, rule in ipairs(rules) do
        if rule_matches(rule, user, partition) then
            return rule.access, ("rule %d matches"):format(i)
        end
    end
    return "none", "no rule matches"
end

---One line per rule: did it match, and if not, why. For `syncline permissions explain`.
---@return string[]
function permissions.explain(rules, user, partition)
    local lines = {}
    if type(rules) == "table" then
        for i, rule in ipairs(rules) do
            local match, why = rule_matches(rule, user, partition)
            lines[#lines + 1] = ("rule %d (%s): %s"):format(i, rule.access, match and "matches" or why)
            if match then
                break
            end
        end
    end
    local access, why = permissions.decide(rules, user, partition)
    lines[#lines + 1] = ("access: %s (%s)"):format(access, why)
    return lines
end

---Checks the form of rules when a configuration is read.
---@return boolean? ok
---@return string? message
function permissions.validate(rules)
    if rules == nil or type(rules) == "function" then
        return true
    end
    if type(rules) ~= "table" then
        return nil, "permissions must be a function or a list of rules"
    end
    for i, rule in ipairs(rules) do
        if not LEVELS[rule.access] then
            return nil, ("permissions, rule %d: access must be 'none', 'read' or 'write'"):format(i)
        end
        for name in pairs(rule) do
            if name ~= "access" and name ~= "user" and name ~= "partition" and name ~= "user_data" then
                return nil, ("permissions, rule %d: unknown member '%s'"):format(i, tostring(name))
            end
        end
    end
    return true
end

return permissions
