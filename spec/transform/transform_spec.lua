local changeset = require("syncline.changeset")
local process = require("support.process")
local transform = require("syncline.transform")

local function update(key, field, value, path)
    return { op = "Update", table = "Task", object = { int = key }, field = field, path = path or {}, value = value,
        default = false }
end

local function made(timestamp, file, ...)
    return { changeset = changeset.encode({ ... }), timestamp = timestamp, file = file }
end

local function instructions(result)
    return assert(changeset.parse(result.changeset))
end

describe("transform.merge", function()
    it("keeps the younger of two values", function()
        local result = assert(transform.merge(
            { made(10, 2, update(1, "title", { string = "oat milk" })) },
            { made(20, 3, update(1, "title", { string = "bread" })) }))
        assert.same({}, instructions(result.left[1]))
        assert.equal("bread", instructions(result.right[1])[1].value.string)
        assert.is_true(result.left[1].modified)
        assert.is_false(result.right[1].modified)
    end)

    it("keeps the order and the number of changesets", function()
        local result = assert(transform.merge(
            { made(10, 2, update(1, "a", { int = 1 })), made(30, 2, update(1, "b", { int = 2 })) },
            { made(20, 3, update(1, "a", { int = 3 })), made(21, 3, update(1, "b", { int = 4 })) }))
        assert.equal(2, #result.left)
        assert.equal(2, #result.right)
        assert.equal(0, #instructions(result.left[1]))
        assert.equal(2, instructions(result.left[2])[1].value.int)
        assert.equal(0, #instructions(result.right[2]))
    end)

    it("gives the same result without index", function()
        local left = { made(10, 2, update(1, "a", { int = 1 }), update(2, "a", { int = 1 })) }
        local right = { made(20, 3, update(2, "a", { int = 3 })) }
        assert.same(transform.merge(left, right), transform.merge(left, right, { index = false }))
    end)

    it("refuses sides that contradict each other, with the id of the check", function()
        local function column(kind)
            return { op = "AddColumn", table = "Task", field = "done", type = kind, nullable = false,
                collection = "single" }
        end
        local result, message, code = transform.merge({ made(1, 2, column("bool")) }, { made(2, 3, column("int")) })
        assert.is_nil(result)
        assert.is_string(message)
        assert.equal("S6", code)
    end)

    it("refuses changesets of one device on both sides", function()
        local result, _, code = transform.merge({ made(1, 2, update(1, "a", { int = 1 })) },
            { made(1, 2, update(1, "a", { int = 2 })) })
        assert.is_nil(result)
        assert.equal("EQUAL", code)
    end)

    it("reports bytes that are no changeset", function()
        local result, _, code = transform.merge({ { changeset = "\14", timestamp = 1, file = 2 } }, {})
        assert.is_nil(result)
        assert.equal("P-OP", code)
    end)

    it("raises for arguments of the wrong kind", function()
        assert.has_error(function() transform.merge("no", {}) end)
        assert.has_error(function() transform.merge({ { changeset = 5, timestamp = 1, file = 2 } }, {}) end)
        assert.has_error(function() transform.merge({ { changeset = "", timestamp = 1, file = 0 } }, {}) end)
        assert.has_error(function() transform.merge({}, {}, { set_erase = "sometimes" }) end)
    end)
end)

describe("transform.explain", function()
    it("says which rule dropped an instruction, who won and why", function()
        local result = assert(transform.explain(
            { made(10, 2, update(1, "title", { string = "oat milk" })) },
            { made(20, 3, update(1, "title", { string = "bread" })) }))
        assert.equal(1, #result.events)
        local event = result.events[1]
        assert.equal("F11", event.rule)
        assert.equal("left", event.side)
        assert.equal("dropped", event.action)
        assert.is_true(event.by_age)
        assert.equal(20, event.other_timestamp)
        assert.equal(3, event.other_file)
        assert.equal('Update       Task[1].title = "oat milk"', event.before)
        assert.is_nil(event.after)
        assert.equal('Update       Task[1].title = "bread"', event.other)
        assert.truthy(result.text:find("younger  file 3, timestamp 20", 1, true))
    end)

    it("shows what an instruction became", function()
        local function insert(index, value)
            return { op = "ArrayInsert", table = "Task", object = { int = 1 }, field = "tags", path = { index },
                value = { int = value }, prior_size = 3 }
        end
        local result = assert(transform.explain({ made(10, 2, insert(1, 5)) }, { made(20, 3, insert(1, 6)) }))
        assert.equal(2, #result.events)
        for _, event in ipairs(result.events) do
            assert.equal("F18", event.rule)
            assert.equal("changed", event.action)
            assert.is_false(event.by_age)
            assert.is_string(event.after)
        end
    end)

    it("has nothing to say about unrelated changes", function()
        local result = assert(transform.explain({ made(10, 2, update(1, "a", { int = 1 })) },
            { made(20, 3, update(2, "a", { int = 1 })) }))
        assert.same({}, result.events)
        assert.truthy(result.text:find("nothing meets", 1, true))
    end)
end)

describe("syncline merge explain", function()
    local folder

    before_each(function() folder = process.folder() end)
    after_each(function() process.remove_folder(folder) end)

    local function write(name, bytes)
        local path = folder .. "/" .. name
        local file = assert(io.open(path, "wb"))
        file:write(bytes)
        file:close()
        return path
    end

    it("explains the merge of two files", function()
        local left = write("left", changeset.encode({ update(1, "title", { string = "oat milk" }) }))
        local right = write("right", changeset.encode({ update(1, "title", { string = "bread" }) }))
        local status, text = process.syncline(("merge explain --left-time 10 --right-time 20 %s %s"):format(left, right))
        assert.equal(0, status)
        assert.truthy(text:find('F11 left 1, dropped: Update       Task[1].title = "oat milk"', 1, true))
        assert.truthy(text:find("both sides assign to one place", 1, true))
        assert.truthy(text:find('after LEFT, apply:\n    Update       Task[1].title = "bread"', 1, true))
    end)

    it("says what is wrong with its arguments", function()
        assert.equal(2, (process.syncline("merge explain")))
        assert.equal(2, (process.syncline("merge explain --left-time 1.5 a b")))
        assert.equal(1, (process.syncline("merge explain /nonexistent /nonexistent")))
    end)
end)
