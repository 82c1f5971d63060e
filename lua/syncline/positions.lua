-- Changes of a list as positions: { deletions =, insertions =, old_modifications =, modifications = }, ascending
-- arrays. Deletions and old_modifications count in the list as it was, the others in the list as it is;
-- modifications[i] was at old_modifications[i].

local positions = {}

---@return table changes that change nothing
function positions.none()
    return { deletions = {}, insertions = {}, old_modifications = {}, modifications = {} }
end

-- How many of the ascending numbers are smaller, and whether `number` is among them.
local function rank(numbers, number)
    local low, high = 1, #numbers + 1
    while low < high do
        local half = math.floor((low + high) / 2)
        if numbers[half] < number then low = half + 1 else high = half end
    end
    return low - 1, numbers[low] == number
end

-- The position among all of what is at `position` when those at `taken` are left out.
local function spread(taken, position)
    local low, high = 1, #taken + 1
    while low < high do
        local half = math.floor((low + high) / 2)
        if taken[half] - half + 1 <= position then low = half + 1 else high = half end
    end
    return position + low - 1
end

-- Where what was at `position` is after the changes, or nil.
local function forward(changes, position)
    local before, deleted = rank(changes.deletions, position)
    if deleted then return nil end
    return spread(changes.insertions, position - before)
end

-- Where what is at `position` after the changes was before them, or nil.
local function back(changes, position)
    local before, inserted = rank(changes.insertions, position)
    if inserted then return nil end
    return spread(changes.deletions, position - before)
end

local function add(list, value)
    if value then list[#list + 1] = value end
end

---The changes of two rounds, one after the other, as those of one.
---@param first table
---@param second table
---@return table
function positions.merge(first, second)
    local out, pairs_of = positions.none(), {}
    for _, at in ipairs(first.deletions) do add(out.deletions, at) end
    for _, at in ipairs(second.deletions) do add(out.deletions, back(first, at)) end
    for _, at in ipairs(second.insertions) do add(out.insertions, at) end
    for _, at in ipairs(first.insertions) do add(out.insertions, forward(second, at)) end
    for i, at in ipairs(first.modifications) do pairs_of[forward(second, at) or 0] = first.old_modifications[i] end
    for i, at in ipairs(second.old_modifications) do pairs_of[second.modifications[i]] = back(first, at) end
    pairs_of[0] = nil
    for at in pairs(pairs_of) do add(out.modifications, at) end
    table.sort(out.deletions)
    table.sort(out.insertions)
    table.sort(out.modifications)
    for i, at in ipairs(out.modifications) do out.old_modifications[i] = pairs_of[at] end
    return out
end

-- Which of the numbers, in their order, form the longest ascending row: a set of their indexes.
local function longest_ascending(numbers)
    local ends, before = {}, {} -- of rows of each length: the index of the smallest last number
    for i, number in ipairs(numbers) do
        local low, high = 1, #ends + 1
        while low < high do
            local half = math.floor((low + high) / 2)
            if numbers[ends[half]] < number then low = half + 1 else high = half end
        end
        before[i] = ends[low - 1]
        ends[low] = i
    end
    local kept, i = {}, ends[#ends]
    while i do
        kept[i] = true
        i = before[i]
    end
    return kept
end

---What happened between two lists of names, each of which is there once. What is still there and has another place
---among the others counts as deleted and inserted.
---@param old string[]
---@param new string[]
---@param modified table<string, boolean>
---@return table
function positions.compare(old, new, modified)
    local out, was, common, at = positions.none(), {}, {}, {}
    for i, name in ipairs(old) do was[name] = i end
    for i, name in ipairs(new) do
        if was[name] then
            common[#common + 1] = was[name]
            at[#at + 1] = i
        else
            add(out.insertions, i)
        end
    end
    local kept, stays = longest_ascending(common), {}
    for k, from in ipairs(common) do
        if kept[k] then
            stays[from] = true
            if modified[new[at[k]]] then
                add(out.modifications, at[k])
                add(out.old_modifications, from)
            end
        else
            add(out.insertions, at[k])
        end
    end
    for i in ipairs(old) do
        if not stays[i] then add(out.deletions, i) end
    end
    table.sort(out.insertions)
    return out
end

return positions
