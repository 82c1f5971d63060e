-- Every command of doc/migrate-from-atlas.md, run in its order; mongoexport is played by a script.
local process = require("support.process")
local loop = require("syncline.loop")

local PUBLIC = {
    Person = '{"_id":{"$oid":"65a1b2c3d4e5f60718293a01"},"_partition":"public","name":"Ann"}\n',
    Task = '{"_id":{"$oid":"65a1b2c3d4e5f60718293b01"},"_partition":"public","text":"Water the plants","done":false,'
        .. '"due":{"$date":"2024-01-31T12:00:00Z"},"owner":{"$oid":"65a1b2c3d4e5f60718293a01"},'
        .. '"helpers":[{"$oid":"65a1b2c3d4e5f60718293a01"}]}\n'
        .. '{"_id":{"$oid":"65a1b2c3d4e5f60718293b02"},"_partition":"public","text":"Feed the cat","done":true,'
        .. '"due":null,"owner":null,"helpers":[]}\n',
}

-- Gives the documents of a collection whose partition the query names.
local MONGOEXPORT = [[#!/bin/sh
while [ $# -gt 0 ]; do
    case "$1" in
        --uri) [ "$2" = mongodb://atlas ] || exit 3 ;;
        --collection) collection=$2 ;;
        --query) query=$2 ;;
        --out) out=$2 ;;
        *) exit 2 ;;
    esac
    shift 2
done
[ "$query" = '{"_partition":"public"}' ] && cp "$FIXTURES/$collection.jsonl" "$out"
]]

local function free_port()
    local server = assert(loop.get():listen({ host = "127.0.0.1", port = 0, on_request = function() end }))
    local port = server:port()
    server:close()
    -- The port is free when the loop has let go of it.
    loop.step(0)
    return port
end

local function working_folder()
    local _, out = process.run("pwd")
    return out:match("[^\n]+")
end

describe("doc/migrate-from-atlas.md", function()
    local folder, root

    before_each(function()
        folder, root = process.folder(), working_folder()
        process.run("mkdir " .. folder .. "/bin " .. folder .. "/guide")
        for name, text in pairs(PUBLIC) do process.write_file(("%s/bin/%s.jsonl"):format(folder, name), text) end
        process.write_file(folder .. "/bin/mongoexport", MONGOEXPORT)
        process.write_file(folder .. "/bin/syncline", ("#!/bin/sh\nexec %s/bin/syncline \"$@\"\n"):format(root))
        process.run("chmod +x " .. folder .. "/bin/mongoexport " .. folder .. "/bin/syncline")
    end)

    after_each(function()
        process.run(("if [ -s %s/pid ]; then kill -KILL $(cat %s/pid); fi"):format(folder, folder))
        process.remove_folder(folder)
    end)

    it("has commands that work as they stand", function()
        local build = os.getenv("SYNCLINE_BUILD") or "build"
        if build:sub(1, 1) ~= "/" then build = root .. "/" .. build end
        local environment = ("export PATH=%s/bin:$PATH FIXTURES=%s/bin ATLAS_URI=mongodb://atlas SYNCLINE_BUILD=%s\ncd %s/guide\n")
            :format(folder, folder, build, folder)
        local port, outputs = free_port(), {}
        for block in process.read_file("doc/migrate-from-atlas.md"):gmatch("\n```sh\n(.-)\n```\n") do
            local script = environment .. "set -e\n" .. block:gsub("9090", tostring(port)) .. "\n"
            if block:find("serve.*&$") then
                -- The server goes on after its block; it listens when the operator's file is there.
                script = script .. ("echo $! >%s/pid\nn=0\n"):format(folder)
                    .. "until [ -e syncline-data/admin.json ] || [ $n -gt 500 ]; do n=$((n+1)); sleep 0.02; done\n"
            end
            local path = folder .. "/block.sh"
            process.write_file(path, script)
            local status, out, problem = process.run("sh " .. path)
            if status ~= 0 then problem = problem .. select(2, process.run("cat " .. folder .. "/guide/server.log")) end
        assert.equal(0, status, block .. "\n" .. problem)
            outputs[#outputs + 1] = out
        end
        assert.equal(7, #outputs)
        assert.matches("migration", outputs[1])
        assert.matches("65a1b2c3d4e5f60718293a4b  %S+  enabled .*ann@example.org", outputs[2])
        assert.matches("65a1b2c3d4e5f60718293a4d  %S+  disabled .*bob@example.org", outputs[2])
        assert.matches("carol@example.org", outputs[3])
        local last = outputs[7]
        assert.matches("Water the plants", last)
        assert.matches('"owner":{"$link":{"class":"Person","key":{"$oid":"65a1b2c3d4e5f60718293a01"}}}', last, 1, true)
        assert.matches("Feed the cat", last)
        assert.matches("access: read %(rule 3 matches%)", last)
        assert.matches("access: write %(rule 2 matches%)", last)
    end)
end)
