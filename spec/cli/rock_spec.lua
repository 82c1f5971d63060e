-- The rock: builds from the rockspec alone, and works from its own tree.
local process = require("support.process")

describe("luarocks make", function()
    it("installs the module and a command that runs", function()
        local folder = process.folder()
        finally(function() process.remove_folder(folder) end)
        -- A copy: LuaRocks leaves its object files beside the sources.
        assert.equal(0, (process.run(("cp -R csrc lua bin rockspec README.md LICENSE %s"):format(folder))))
        local status, out, err = process.run(("cd %s && luarocks --lua-version 5.4 --tree %s/tree make --deps-mode none " ..
            "CFLAGS='-O0 -fPIC' rockspec/syncline-scm-1.rockspec"):format(folder, folder))
        assert.equal(0, status, out .. err)
        assert.not_matches("warning:", out .. err)
        local plain = "cd / && env -u LUA_PATH -u LUA_CPATH " .. folder .. "/tree/bin/syncline "
        local code, version, problem = process.run(plain .. "--version")
        assert.equal(0, code, problem)
        assert.matches("^syncline %d", version)
        code = process.run(plain .. "stat " .. folder .. "/none")
        assert.equal(1, code)
    end)
end)
