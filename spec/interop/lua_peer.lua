-- One Lua device; the twin of js_peer.mjs, which documents commands and values.
local syncline = require("syncline")
local json = syncline.json

local dir = assert(os.getenv("PEER_DIR"), "PEER_DIR is not set")
local app, user, realm, schemas
local errors = {}

-- ---- values -----------------------------------------------------------------------------------------

local auth = require("syncline.auth")

local function single(value)
    local name, content = next(value)
    return name, content
end

local decode

local function decode_members(members)
    local copy = {}
    for name, value in pairs(members) do copy[name] = decode(value) end
    return copy
end

local decoders = {
    ["$int"] = syncline.int64,
    ["$double"] = tonumber,
    ["$binary"] = function(text) return syncline.binary(auth.base64_decode(text)) end,
    ["$date"] = syncline.timestamp,
    ["$decimal"] = syncline.decimal,
    ["$oid"] = syncline.objectid,
    ["$uuid"] = syncline.uuid,
    ["$link"] = function(pair) return assert(realm:object(pair[1], decode(pair[2])), "no object to link to") end,
    ["$object"] = decode_members,
    ["$dict"] = decode_members,
}

function decode(value)
    if type(value) ~= "table" then return value end
    local name, content = single(value)
    if decoders[name] then return decoders[name](content) end
    return decode_members(value)
end

local function class_named(name)
    for _, class in ipairs(schemas) do
        if class.name == name then return class end
    end
    error("unknown class " .. tostring(name))
end

local function declared(class, field)
    local property = class.properties[field]
    local text = type(property) == "table" and (property.objectType or property.type) or property
    return (text:gsub("[%?%[%]{}<>]", ""))
end

local encode, encode_object

-- Milliseconds are all that JavaScript knows of a time.
local function iso(timestamp)
    local text = tostring(timestamp)
    local head, fraction = text:match("^(.-%d%d:%d%d:%d%d)%.?(%d*)Z$")
    return ("%s.%sZ"):format(head, (fraction .. "000"):sub(1, 3))
end

local encoders = {
    int = function(value) return { ["$int"] = tostring(value) } end,
    float = function(value) return { ["$double"] = value } end,
    binary = function(value) return { ["$binary"] = auth.base64_encode(value:bytes()) } end,
    timestamp = function(value) return { ["$date"] = iso(value) } end,
    decimal = function(value) return { ["$decimal"] = tostring(value) } end,
    objectid = function(value) return { ["$oid"] = tostring(value) } end,
    uuid = function(value) return { ["$uuid"] = tostring(value) } end,
    string = function(value) return value end,
    bool = function(value) return value end,
}

-- The shortest text that reads back as the same double, as JavaScript writes it.
local function number_text(value)
    for digits = 1, 17 do
        local text = ("%." .. digits .. "g"):format(value)
        if tonumber(text) == value then return (text:gsub("%.0$", "")) end
    end
end

local function sorted(list)
    table.sort(list, function(a, b) return json.encode(a) < json.encode(b) end)
    return json.array(list)
end

local function encode_list(list, type_name)
    local copy = {}
    for _, value in list:each() do copy[#copy + 1] = encode(value, type_name) end
    return copy
end

function encode(value, type_name)
    if value == nil or value == syncline.null then return json.null end
    if type(value) == "userdata" and value.is_valid then
        if value:is_embedded() then return { ["$object"] = encode_object(value, value:class()) } end
        return { ["$link"] = json.array({ value:class(), encode(value:key()) }) }
    end
    if type_name == "double" or type_name == "float" then return { ["$double"] = number_text(value) } end
    if type_name == "data" then return { ["$binary"] = auth.base64_encode(value) } end
    return encoders[syncline.typeof(value)](value)
end

local function encode_property(object, class, field)
    local property = class.properties[field]
    local text = type(property) == "table" and property.type or property
    local value, type_name = object[field], declared(class, field)
    if text:match("%[%]$") or text == "list" then return json.array(encode_list(value, type_name)) end
    if text:match("<>$") or text == "set" then return { ["$set"] = sorted(encode_list(value, type_name)) } end
    if text:match("{}$") or text == "dictionary" then
        local members = {}
        for name, member in value:each() do members[name] = encode(member, type_name) end
        return { ["$dict"] = members }
    end
    return encode(value, type_name)
end

function encode_object(object, class_name)
    local class, copy = class_named(class_name), {}
    for field in pairs(class.properties) do copy[field] = encode_property(object, class, field) end
    return copy
end

-- ---- commands ---------------------------------------------------------------------------------------

local TYPES = { data = "binary", date = "timestamp", decimal128 = "decimal", objectId = "objectid" }

local function translate_type(text)
    return (text:gsub("^%w+", function(word) return TYPES[word] or word end))
end

-- The notation of Realm JS as ours.
local function translate(schema)
    local list = {}
    for i, class in ipairs(schema) do
        local properties = {}
        for name, property in pairs(class.properties) do
            local text = type(property) == "table" and property.type or property
            properties[name] = translate_type(text)
        end
        list[i] = { name = class.name, embedded = class.embedded, primary_key = class.primaryKey, properties = properties }
    end
    return list
end

local function find(edit)
    local object = realm:object(edit.class, decode(edit.key))
    return object or error(("no %s with key %s"):format(edit.class, json.encode(edit.key)), 0)
end

local function place(edit)
    local at = find(edit)
    for _, step in ipairs(edit.path or {}) do
        if type(step) == "number" then step = step + 1 end
        at = at[step]
    end
    return at
end

local function at_field(edit) return place(edit)[edit.field] end

local edits = {
    create = function(e)
        local values = decode_members(e.values or {})
        values[class_named(e.class).primaryKey] = decode(e.key)
        realm:create(e.class, values, "modified")
    end,
    delete = function(e) realm:delete(find(e)) end,
    set = function(e) place(e)[e.field] = decode(e.value) end,
    increment = function(e) place(e):increment(e.field, decode(e.value)) end,
    list_insert = function(e) at_field(e):insert(e.index + 1, decode(e.value)) end,
    list_set = function(e) at_field(e)[e.index + 1] = decode(e.value) end,
    list_remove = function(e) at_field(e):remove(e.index + 1) end,
    list_move = function(e) at_field(e):move(e.from + 1, e.to + 1) end,
    list_clear = function(e) at_field(e):clear() end,
    set_add = function(e) at_field(e):add(decode(e.value)) end,
    set_remove = function(e) at_field(e):remove(decode(e.value)) end,
    dict_set = function(e) at_field(e)[e.name] = decode(e.value) end,
    dict_remove = function(e) at_field(e):remove(e.name) end,
}

local commands = {}

function commands.login(c)
    app = syncline.app({ id = c.app_id, base_url = c.base_url, tls = { ca = c.ca } })
    user = assert(app:log_in(c.credentials or { provider = "anonymous" }))
    return { user_id = user.id }
end

function commands.register(c)
    app = syncline.app({ id = c.app_id, base_url = c.base_url, tls = { ca = c.ca } })
    assert(app:register(c.email, c.password))
    return {}
end

function commands.call(c)
    local result, message = user:call(c.name, (table.unpack or unpack)(c.args)) -- luacheck: ignore
    if result == nil then error(message, 0) end
    return { result = result }
end

function commands.open(c)
    schemas = c.schema
    local name = auth.hex(json.encode(c.partition)):sub(1, 60)
    realm = assert(syncline.open({
        path = ("%s/%s.realm"):format(dir, name),
        schema = translate(schemas),
        sync = {
            user = user,
            partition = decode(c.partition),
            on_error = function(problem)
                errors[#errors + 1] = { name = problem.name, code = problem.code, message = problem.message }
            end,
        },
    }))
    assert(realm:sync_session():wait_for_download(30))
    return {}
end

function commands.edit(c)
    assert(realm:write(function()
        for _, edit in ipairs(c.edits) do edits[edit["do"]](edit) end
    end))
    return {}
end

function commands.sync()
    assert(realm:sync_session():wait_for_upload(30))
    assert(realm:sync_session():wait_for_download(30))
    return {}
end

function commands.pause()
    realm:sync_session():pause()
    return {}
end

function commands.resume()
    realm:sync_session():resume()
    return {}
end

function commands.dump()
    local state = {}
    for _, class in ipairs(schemas) do
        if not class.embedded then
            local list = {}
            for object in realm:objects(class.name):each() do list[#list + 1] = encode_object(object, class.name) end
            table.sort(list, function(a, b)
                return json.encode(a[class.primaryKey]) < json.encode(b[class.primaryKey])
            end)
            state[class.name] = json.array(list)
        end
    end
    return { state = state }
end

function commands.count(c) return { count = realm:objects(c.class):count() } end

function commands.errors()
    local list = errors
    errors = {}
    return { errors = json.array(list) }
end

function commands.quit()
    if realm then realm:close() end
    return {}
end

local function answer(line)
    io.write(json.encode(line), "\n")
    io.flush()
end

answer({ ready = true })
for line in io.lines() do
    local command = assert(json.decode(line))
    local ok, result = xpcall(commands[command.cmd], function(problem)
        return type(problem) == "string" and debug.traceback(problem, 2) or tostring(problem)
    end, command)
    answer(ok and { id = command.id, ok = result } or { id = command.id, error = result })
    if command.cmd == "quit" then break end
end
