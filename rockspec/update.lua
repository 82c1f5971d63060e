-- Writes the list of sources and modules into the rockspec; with --check only tells whether it is
-- up to date. The list has to be spelled out, because LuaRocks' builtin build does not search.

local PATH = "rockspec/syncline-scm-1.rockspec"
local BEGIN, END = "      -- sources (make rockspec)\n", "      -- end of sources\n"
local MODULES_BEGIN, MODULES_END = "    -- modules (make rockspec)\n", "    -- end of modules\n"

local function lines_of(command)
    local pipe, out = assert(io.popen(command)), {}
    for line in pipe:lines() do out[#out + 1] = line end
    pipe:close()
    return out
end

local function between(text, first, last, content)
    local _, from = text:find(first, 1, true)
    local to = text:find(last, 1, true)
    assert(from and to, "the rockspec has lost the marks of its lists")
    return text:sub(1, from) .. content .. text:sub(to)
end

local sources = {}
for _, path in ipairs(lines_of("ls csrc/*/*.c | LC_ALL=C sort")) do
    sources[#sources + 1] = ("      %q,\n"):format(path)
end
local modules = {}
for _, path in ipairs(lines_of("find lua -name '*.lua' | LC_ALL=C sort")) do
    local name = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
    modules[#modules + 1] = ("    [%q] = %q,\n"):format(name, path)
end

local file = assert(io.open(PATH))
local before = file:read("a")
file:close()
local after = between(before, BEGIN, END, table.concat(sources))
after = between(after, MODULES_BEGIN, MODULES_END, table.concat(modules))

if arg[1] == "--check" then
    if after ~= before then
        io.stderr:write(PATH .. " does not list every file; run 'make rockspec'\n")
        os.exit(1)
    end
elseif after ~= before then
    file = assert(io.open(PATH, "w"))
    file:write(after)
    file:close()
end
