-- A class for documents that come without a schema.

local core = require("syncline.core")
local assign = require("syncline.assign")

local Inference = {}
Inference.__index = Inference

-- The type of a value, "null", or "[]" for an empty list, which suits every list.
local function type_of(value)
    if type(value) ~= "table" then return core.typeof(value) end
    if getmetatable(value) ~= assign.LIST then return "mixed" end
    local inner
    for _, element in ipairs(value) do
        local kind = type_of(element)
        if inner and inner ~= kind or kind == "null" then return "mixed[]" end
        inner = kind
    end
    if inner and inner:find("[%[%]]") then return "mixed" end
    return inner and inner ~= "mixed" and inner .. "[]" or inner and "mixed[]" or "[]"
end

-- The type that suits two.
local function join(a, b)
    if a == b or b == "null" then return a end
    if a == "null" then return b end
    if a == "[]" and b:find("%[%]$") then return b end
    if b == "[]" and a:find("%[%]$") then return a end
    if a == "int" and b == "double" or a == "double" and b == "int" then return "double" end
    if a:find("%[%]$") and b:find("%[%]$") then return "mixed[]" end
    return "mixed"
end

local KEYS = { int = true, string = true, objectid = true, uuid = true }

-- What documents tell about a class with this name, as they are added.
function Inference.new(name)
    return setmetatable({ name = name, types = {}, documents = 0, with_id = 0 }, Inference)
end

function Inference:add(document)
    self.documents = self.documents + 1
    if document._id ~= nil then self.with_id = self.with_id + 1 end
    for property, value in pairs(document) do
        self.types[property] = join(self.types[property] or "null", type_of(value))
    end
end

-- The class, for `realm:update_schema`.
function Inference:class()
    local class = { name = self.name, properties = {} }
    for property, kind in pairs(self.types) do
        if kind == "null" then kind = "mixed" elseif kind == "[]" then kind = "mixed[]" end
        if kind ~= "mixed" and not kind:find("%[%]$") and property ~= "_id" then kind = kind .. "?" end
        class.properties[property] = kind
    end
    if self.with_id == self.documents and KEYS[self.types._id] then class.primary_key = "_id" end
    return class
end

return Inference
