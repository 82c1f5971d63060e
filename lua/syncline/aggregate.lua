-- Sums and the like of results, lists and sets, which the core computes.

local check = require("syncline.check")

local aggregate = {}

local function sum(what, _, total)
    if total == false then check.fail("%s: decimals and timestamps have no sum; add them up in a loop", what) end
    if total == nil then check.fail("%s: the sum does not fit into 64 bits", what) end
    return total
end

local CHOOSE = {
    sum = sum,
    avg = function(what, count, total, average)
        if count > 0 and total == false then check.fail("%s: decimals and timestamps have no average", what) end
        return average
    end,
    min = function(_, _, _, _, least) return least end,
    max = function(_, _, _, _, _, greatest) return greatest end,
}

---One of `"sum"`, `"avg"`, `"min"`, `"max"` out of what the core has found.
---@param name string
---@param what string for messages
---@return any
function aggregate.choose(name, what, ...)
    return CHOOSE[name](what, ...)
end

---Gives a table of methods of collections the four methods.
---@param methods table
---@param what string
function aggregate.add_to(methods, what)
    for name, choose in pairs(CHOOSE) do
        methods[name] = function(self)
            local out = choose(what .. ":" .. name, methods.aggregate(self))
            return out
        end
    end
end

return aggregate
