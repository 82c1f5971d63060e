-- The command line: help, exit statuses, import and export, care for files.
local process = require("support.process")

local syncline = process.syncline

describe("the command line", function()
    local folder

    before_each(function() folder = process.folder() end)
    after_each(function() process.remove_folder(folder) end)

    it("explains itself", function()
        local status, out, err = syncline("--help")
        assert.equal(0, status)
        assert.equal("", err)
        for name in out:gmatch("\n  (%l+) ") do
            local code, text = syncline(name .. " --help")
            assert.equal(0, code, name)
            assert.matches("^usage: syncline " .. name, text)
        end
        assert.matches("^syncline %d+%.%d+%.%d+\n$", select(2, syncline("--version")))
    end)

    it("ends with 2 when it is called wrongly", function()
        for _, arguments in ipairs({ "", "nonsense", "import", "import --path x", "export --nonsense", "changeset",
            "changeset print", "import --path x --class C --format yaml f", "import --path x --class C --batch many f",
            "stat", "check", "backup one" }) do
            local status, _, err = syncline(arguments)
            assert.equal(2, status, arguments)
            assert.matches("syncline", err)
        end
    end)

    it("ends with 1 and the reason when something fails", function()
        for _, arguments in ipairs({ "changeset print /nonexistent", "stat /nonexistent", "check /nonexistent",
            "export --path /nonexistent --class C", "import --path /nonexistent/x --class C /dev/null" }) do
            local status, _, err = syncline(arguments)
            assert.equal(1, status, arguments .. err)
            assert.not_matches("traceback", err)
        end
    end)

    local LINES = table.concat({
        [=[{"_id":1,"name":"Ada","born":{"$date":"1815-12-10T00:00:00Z"},"tags":["a","b"],"score":1.5}]=],
        [=[{"_id":2,"name":"Bob","tags":[],"big":{"$numberLong":"9223372036854775807"}}]=],
        [[{"_id":3,"name":"\"quoted\", with comma","note":null}]],
    }, "\n") .. "\n"

    local function import(text, arguments)
        return syncline(("import --path %s/x.realm --class Person %s -"):format(folder, arguments or ""), text)
    end

    local function export(format)
        local status, out, err = syncline(("export --path %s/x.realm --class Person --format %s"):format(folder, format))
        assert.equal(0, status, err)
        return out
    end

    it("imports JSON lines and infers the class", function()
        local status, _, err = import(LINES)
        assert.equal(0, status, err)
        assert.matches("3 objects imported", err)
        local out = export("jsonl")
        assert.matches([["_id":1,]], out)
        assert.matches([["name":"Ada"]], out)
        assert.matches([=["tags":%["a","b"%]]=], out)
        assert.matches("9223372036854775807", out)
        assert.equal(3, select(2, out:gsub("\n", "\n")))
    end)

    it("gives in each format what the other side reads back without loss", function()
        assert.equal(0, (import(LINES)))
        local first = export("ejson")
        for _, format in ipairs({ "jsonl", "ejson", "csv" }) do
            local text = export(format)
            local other = process.folder()
            local schema = folder .. "/schema.lua"
            process.write_file(schema, [=[return { { name = "Person", primary_key = "_id", properties = {
                _id = "int", name = "string?", born = "timestamp?", tags = "string[]", score = "double?",
                big = "int?", note = "mixed" } } }]=])
            local status, _, err = syncline(("import --path %s/y.realm --class Person --schema %s --format %s -")
                :format(other, schema, format), text)
            assert.equal(0, status, err)
            local _, again = syncline(("export --path %s/y.realm --class Person --format ejson"):format(other))
            assert.equal(first, again, format)
            process.remove_folder(other)
        end
    end)

    it("exports the objects that conditions describe", function()
        assert.equal(0, (import(LINES)))
        local function ids(conditions)
            local status, out, err = syncline(("export --path %s/x.realm --class Person --where '%s'"):format(folder, conditions))
            local found = {}
            for id in out:gmatch('"_id":(%d+)') do found[#found + 1] = id end
            return status, table.concat(found, " "), err
        end
        assert.equal("2 3", select(2, ids('{"_id": [">=", 2]}')))
        assert.equal("1", select(2, ids('{"name": "Ada"}')))
        assert.equal("3", select(2, ids('{"name": [["contains", ","], ["~=", null]]}')))
        for conditions, text in pairs({ ["{}"] = "at least one condition", ["[1]"] = "name of a property", ["{"] = "invalid JSON",
            ['{"nose": 1}'] = "no such property" }) do
            local status, _, err = ids(conditions)
            assert.equal(2, status)
            assert.matches(text, err, 1, true)
        end
    end)

    it("stops at the first document that does not fit, and says which", function()
        assert.equal(0, (import(LINES)))
        local status, _, err = import([[{"_id":9,"name":"x"}]] .. "\n" .. [[{"_id":10,"name":5}]] .. "\n")
        assert.equal(1, status)
        assert.matches("line 2", err)
        assert.not_matches([["_id":9]], export("jsonl"))
        status, _, err = import("{\"_id\":11,\n")
        assert.equal(1, status)
        assert.matches("line 1", err)
        status, _, err = import([[{"_id":1}]])
        assert.equal(1, status)
        assert.matches("already", err)
        assert.equal(0, (import([[{"_id":1,"name":"Eve"}]], "--update modified")))
        assert.matches([["name":"Eve"]], export("jsonl"))
    end)

    it("looks into a file and finds it sound", function()
        assert.equal(0, (import(LINES)))
        local status, out = syncline("stat " .. folder .. "/x.realm")
        assert.equal(0, status)
        assert.matches("3  objects", out)
        assert.matches('"objects":3', select(2, syncline("stat --json " .. folder .. "/x.realm")))
        status, out = syncline("check " .. folder .. "/x.realm")
        assert.equal(0, status)
        assert.matches("sound", out)
        assert.equal(0, (syncline(("backup %s/x.realm %s/copy.realm"):format(folder, folder))))
        assert.equal(0, (syncline("check " .. folder .. "/copy.realm")))
        process.write_file(folder .. "/x.realm", ("no database at all "):rep(1000))
        assert.equal(1, (syncline("check " .. folder .. "/x.realm")))
    end)
end)
