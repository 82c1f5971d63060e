-- Values of partitions: the one reader for the server's rules, for clients and for the command line.

local core = require("syncline.core")

local partition = {}

---What commands say of their option.
partition.HELP = "value of the partition: a text, 42, null, '{\"$oid\":\"...\"}', '{\"$uuid\":\"...\"}'; '\"42\"' is a text"

-- What people call the core's kinds, and what rules call them.
local KINDS = {
    text = { "string", "the text %s" }, int = { "int", "the integer %s" }, oid = { "objectid", "the ObjectId %s" },
    uuid = { "uuid", "the UUID %s" }, null = { "null", "null" }, path = { "string", "the path %s" },
}

---A partition as rules see it.
---@param canonical string the core's spelling
---@param kind string the core's kind: "text", "int", "oid", "uuid", "null" or "path"
---@return syncline.services.Partition
function partition.of(canonical, kind)
    local value
    if kind == "text" then
        value = core.json.decode(canonical)
    elseif kind == "int" then
        value = canonical:match("%-?%d+")
    elseif kind == "path" then
        value = canonical
    elseif kind ~= "null" then
        value = tostring(core.ejson.decode(canonical))
    end
    return { kind = KINDS[kind][1], value = value }
end

---Reads what somebody typed: Extended JSON; text that is no JSON stands for itself.
---@param text string `"abc"` or `abc`, `42`, `null`, `{"$oid":"..."}`, `{"$uuid":"..."}`; `"42"` with quotes is a text
---@return syncline.services.Partition|nil partition
---@return string canonical the core's spelling, or what is wrong
---@return string|nil meaning what was understood, for people
function partition.read(text)
    local plain = not text:find("^%s*[%[{\"]") and core.json.decode(text) == nil
    local canonical, kind = core.server.partition(plain and core.json.encode(text) or text)
    if not canonical or kind == "path" then
        return nil, ("partition '%s': a text, 42, null, {\"$oid\":\"...\"} or {\"$uuid\":\"...\"} expected (Extended JSON)"):format(text)
    end
    local read = partition.of(canonical, kind)
    return read, canonical, KINDS[kind][2]:format(kind == "text" and canonical or read.value)
end

local WRITTEN = { int = '{"$numberLong":"%s"}', objectid = '{"$oid":"%s"}', uuid = '{"$uuid":"%s"}' }

---A partition of a rule in the form in which clients' partitions are compared with it.
---@param given table `kind` and `value`, in any spelling
---@return syncline.services.Partition|nil
function partition.of_rule(given)
    if given.kind == "null" then return given.value == nil and { kind = "null" } or nil end
    if type(given.value) == "number" and given.value % 1 == 0 then given = { kind = given.kind, value = ("%d"):format(given.value) } end
    if type(given.value) ~= "string" then return nil end
    if given.kind == "string" then return { kind = "string", value = given.value } end
    local form = WRITTEN[given.kind]
    if not form or given.value:find("[^%x-]") then return nil end
    local canonical, kind = core.server.partition(form:format(given.value))
    return canonical and partition.of(canonical, kind) or nil
end

return partition
