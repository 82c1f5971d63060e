--- Who may read and write which partition. A rule is a Lua function or a declarative table; the first
--- rule that matches decides.
---
---   permissions = function(user, partition) return "write" end       -- "none", "read" or "write"
---   permissions = {
---       { partition = "public", access = "read" },
---       { partition = "user=%user.id", access = "write" },
---       { partition = "team-%user.custom_data.team", user_data = { role = "editor" }, access = "write" },
---       { user = "65a1b2c3d4e5f60718293a4b", access = "write" },
---   }
---
--- Patterns match the text of a string partition: `*` stands for any run of characters, `%user.id`,
--- `%user.data.NAME` and `%user.custom_data.NAME` for facts about the user. Partitions that are no text are
--- compared with `partition = { kind = "int", value = "42" }`. Without rules everybody may write everywhere.
---
--- Who may write may also add classes and properties to the schema, unless the rule (or the second result
--- of the function) says otherwise: `schema = "owner"` may erase them, too, `schema = "locked"` nothing.
local partitions = require("syncline.partition")

local permissions = {}

local LEVELS = { none = 0, read = 1, write = 2 }
local SCHEMA = { owner = true, additive = true, locked = true }
local MEMBERS = { access = "string", schema = "string", user = "string", partition = true, user_data = "table", custom_data = "table" }

---@class syncline.services.Partition
---@field kind string "string", "int", "objectid", "uuid" or "null"
---@field value string? its text, an ObjectId and a UUID in lower case; nil for null

-- ---- patterns ---------------------------------------------------------------------------------------

local EXPANSION = "%%(user%.[%w_.]*[%w_])"

local function nested(facts, path)
    for name in path:gmatch("[^.]+") do
        facts = type(facts) == "table" and facts[name] or nil
    end
    return facts
end

local function fact(user, name)
    if name == "user.id" then
        return user.id
    end
    local source, field = name:match("^user%.([%w_]+)%.(.+)$")
    local facts = source == "custom_data" and user.custom_data or source == "data" and user.data or {}
    local value = facts[field]
    if value == nil then
        value = nested(facts, field)
    end
    if type(value) == "number" and value % 1 == 0 then
        return ("%d"):format(value)
    end
    return type(value) == "string" and value or nil
end

-- The text with facts filled in, or nil if a fact is missing: then nothing can match.
local function fill(text, user)
    local missing = false
    local filled = text:gsub(EXPANSION, function(name)
        local value = fact(user, name)
        if not value then
            missing = true
        end
        return value
    end)
    return not missing and filled or nil
end

-- The literal parts between the stars. Stars are found before facts are filled in: a star in a user's
-- data is not a wildcard.
local function parts_of(pattern, user)
    local parts, from = {}, 1
    repeat
        local star = pattern:find("*", from, true)
        local part = fill(pattern:sub(from, (star or 0) - 1), user)
        if not part then
            return nil
        end
        parts[#parts + 1] = part
        from = (star or 0) + 1
    until not star
    return parts
end

-- How far a part still fits after each of its prefixes (Knuth, Morris and Pratt).
local function fallbacks(part)
    local back, fits = { [0] = 0, [1] = 0 }, 0
    for i = 2, #part do
        local byte = part:byte(i)
        while fits > 0 and part:byte(fits + 1) ~= byte do
            fits = back[fits]
        end
        if part:byte(fits + 1) == byte then
            fits = fits + 1
        end
        back[i] = fits
    end
    return back
end

-- The position after the first place of `part` in `text` between `from` and `to`. What was read is not
-- read again: clients choose the text, and their data goes into the part.
local function after(text, part, from, to)
    if part == "" then
        return from
    end
    if to - from + 1 < #part then
        return nil
    end
    local back, fits = fallbacks(part), 0
    for i = from, to do
        local byte = text:byte(i)
        while fits > 0 and part:byte(fits + 1) ~= byte do
            fits = back[fits]
        end
        if part:byte(fits + 1) == byte then
            fits = fits + 1
        end
        if fits == #part then
            return i + 1
        end
    end
    return nil
end

local function matches(pattern, text, user)
    local parts = parts_of(pattern, user)
    if not parts then
        return false
    end
    local first, last = parts[1], parts[#parts]
    if #parts == 1 then
        return text == first
    end
    local from, to = #first + 1, #text - #last
    if from > to + 1 or text:sub(1, #first) ~= first or text:sub(to + 1) ~= last then
        return false
    end
    for i = 2, #parts - 1 do
        from = after(text, parts[i], from, to)
        if not from then
            return false
        end
    end
    return true
end

-- ---- rules ------------------------------------------------------------------------------------------

local function differs(wanted, facts, what)
    for name, value in pairs(wanted or {}) do
        if (facts or {})[name] ~= value then
            return ("%s '%s' differs"):format(what, name)
        end
    end
    return nil
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
        local wanted = partitions.of_rule(rule.partition)
        if not wanted or wanted.kind ~= partition.kind or wanted.value ~= partition.value then
            return false, "another partition"
        end
    end
    local why = differs(rule.user_data, user.data, "user data") or differs(rule.custom_data, user.custom_data, "custom data")
    return not why, why
end

local function decide_by_function(rules, user, partition, default)
    local ok, access, schema = pcall(rules, user, partition)
    if not ok then
        return "none", "the rule function failed: " .. tostring(access), default
    end
    if access == true then
        access = "write"
    end
    if not LEVELS[access] then
        return "none", ("the rule function returned %s"):format(tostring(access)), default
    end
    if schema ~= nil and not SCHEMA[schema] then
        return "none", ("the rule function returned %s for the schema"):format(tostring(schema)), default
    end
    return access, "the rule function decided", schema or default
end

---Decides, and says why.
---@param rules function|table|nil
---@param user syncline.services.User
---@param partition syncline.services.Partition
---@param default string? what may be done to the schema where nothing is said; "additive"
---@return string access "none", "read" or "write"
---@return string why
---@return string schema what who may write may do to the schema: "owner", "additive" or "locked"
function permissions.decide(rules, user, partition, default)
    default = default or "additive"
    if rules == nil then
        return "write", "no rules are configured: everybody may write", default
    end
    if type(rules) == "function" then
        return decide_by_function(rules, user, partition, default)
    end
    for i, rule in ipairs(rules) do
        if rule_matches(rule, user, partition) then
            return rule.access, ("rule %d matches"):format(i), rule.schema or default
        end
    end
    return "none", "no rule matches", default
end

local MEANING = {
    owner = "may add and erase classes and properties",
    additive = "may add classes and properties, erase none",
    locked = "may not change classes and properties",
}

---One line per rule: did it match, and if not, why. For `syncline permissions explain`.
---@return string[]
function permissions.explain(rules, user, partition, default)
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
    local access, why, schema = permissions.decide(rules, user, partition, default)
    if access == "write" then
        lines[#lines + 1] = ("schema: %s (%s)"):format(schema, MEANING[schema])
    end
    lines[#lines + 1] = ("access: %s (%s)"):format(access, why)
    return lines
end

-- What is wrong with a pattern, or nil. An expansion that nobody knows would be a rule that never matches.
local function unknown_expansion(pattern)
    for at, text in pattern:gmatch("()(%%+[%a][%w_.]*)") do
        local name = pattern:match("^" .. EXPANSION, at)
        local known = name and (name == "user.id" or name:find("^user%.data%.[^.]") or name:find("^user%.custom_data%.[^.]"))
            and not name:find("^user%.data%.custom_data%.")
        if not known then
            return ("'%s' is unknown; known are %%user.id, %%user.data.NAME and %%user.custom_data.NAME"):format(text)
        end
    end
    return nil
end

local function wrong_partition(given)
    if type(given) == "string" then
        return unknown_expansion(given)
    end
    if type(given) ~= "table" or not partitions.of_rule(given) then
        return "partition: a pattern expected, or { kind = \"int\"|\"objectid\"|\"uuid\"|\"string\"|\"null\", value = TEXT }"
    end
    for name in pairs(given) do
        if name ~= "kind" and name ~= "value" then
            return ("partition: unknown member '%s'"):format(tostring(name))
        end
    end
    return nil
end

---What is wrong with a value of `schema`, or nil.
---@param schema any
---@return string? message
function permissions.wrong_schema(schema)
    return not SCHEMA[schema] and "schema must be 'owner', 'additive' or 'locked'" or nil
end

local function wrong_rule(rule)
    if not LEVELS[rule.access] then
        return "access must be 'none', 'read' or 'write'"
    end
    local wrong = rule.schema ~= nil and permissions.wrong_schema(rule.schema)
    if wrong then
        return wrong
    end
    for name, value in pairs(rule) do
        local wanted = MEMBERS[name]
        if not wanted then
            return ("unknown member '%s'"):format(tostring(name))
        elseif wanted ~= true and type(value) ~= wanted then
            return ("%s: a %s expected, got a %s"):format(name, wanted, type(value))
        end
    end
    return rule.partition ~= nil and wrong_partition(rule.partition) or nil
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
        local wrong = type(rule) == "table" and wrong_rule(rule) or type(rule) ~= "table" and "a table expected"
        if wrong then
            return nil, ("permissions, rule %d: %s"):format(i, wrong)
        end
    end
    return true
end

return permissions
