-- Writes doc/reference/ from the annotations in lua/syncline: one page per public module. With --check
-- it writes nothing and fails if a page is out of date.

local OUT = "doc/reference"

-- Pages, in the order of the index; the rest of lua/syncline is not meant to be called by users.
local PAGES = {
    { "syncline", "lua/syncline.lua", "The module: values, opening realms" },
    { "realm", "lua/syncline/realm.lua", "Open realms: writing, reading, notifications" },
    { "results", "lua/syncline/results.lua", "The objects of a class" },
    { "values", "lua/syncline/assign.lua", "Tables in and out of a realm" },
    { "schema", "lua/syncline/schema.lua", "Classes and properties" },
    { "client", "lua/syncline/client.lua", "Synchronisation of a realm" },
    { "session", "lua/syncline/session.lua", "The session of a synchronised realm" },
    { "open_async", "lua/syncline/open_async.lua", "Opening a realm that is still on the server" },
    { "app", "lua/syncline/app.lua", "Logging in to an app" },
    { "server", "lua/syncline/server/init.lua", "The sync server" },
    { "admin", "lua/syncline/admin.lua", "Apps and users, for the operator" },
    { "loop", "lua/syncline/loop.lua", "The event loop" },
    { "exchange", "lua/syncline/exchange.lua", "Import and export" },
    { "changeset", "lua/syncline/changeset.lua", "Looking into changesets" },
    { "transform", "lua/syncline/transform.lua", "Merging changesets" },
    { "sim", "lua/syncline/sim.lua", "Simulating a server and clients" },
}

local function read(path)
    local file = io.open(path)
    if not file then return nil end
    local text = file:read("a")
    file:close()
    return text
end

-- One block of `---` lines and the line of code under it.
local function blocks_of(text)
    local blocks, current = {}, {}
    for line in (text .. "\n"):gmatch("(.-)\n") do
        local comment = line:match("^%s*%-%-%-%s?(.*)$")
        if comment then
            current[#current + 1] = comment
        elseif #current > 0 then
            blocks[#blocks + 1] = { lines = current, code = line }
            current = {}
        end
    end
    return blocks
end

local function code_name(code)
    local name = code:match("^%s*function ([%w_.:]+)%s*%(") or code:match("^%s*([%w_.]+)%s*=%s*function")
    if code:match("^%s*local function") then return nil end
    return name, (code:match("%((.-)%)"))
end

-- "string|nil path the file" -> type and description; a type may hold blanks inside brackets.
local function split_type(text)
    local depth, i = 0, 1
    while i <= #text do
        local c = text:sub(i, i)
        if c:match("[%(%[{<]") then depth = depth + 1 elseif c:match("[%)%]}>]") then depth = depth - 1 end
        if c == " " and depth == 0 and not text:sub(1, i - 1):match("[:,|]$") then break end
        i = i + 1
    end
    return text:sub(1, i - 1), (text:sub(i + 1))
end

local function render_function(out, name, arguments, lines)
    local about, params, returns = {}, {}, {}
    for _, line in ipairs(lines) do
        local tag, rest = line:match("^@(%w+)%s*(.*)$")
        if not tag then
            about[#about + 1] = line
        elseif tag == "param" then
            local param, spec = rest:match("^(%S+)%s+(.*)$")
            local kind, text = split_type(spec or "any")
            params[#params + 1] = ("- `%s` (`%s`)%s"):format(param or rest, kind, text ~= "" and ": " .. text or "")
        elseif tag == "return" then
            local kind, text = split_type(rest)
            returns[#returns + 1] = ("- `%s`%s"):format(kind, text ~= "" and ": " .. text or "")
        end
    end
    local shown = name:gsub("^Realm[.:]", function(s) return "realm" .. s:sub(-1) end)
        :gsub("^methods:", "results:"):gsub("^Observer:", "observer:"):gsub("^Session:", "session:")
        :gsub("^Server:", "server:"):gsub("^App:", "app:"):gsub("^User:", "user:")
    out[#out + 1] = ("### `%s(%s)`\n"):format(shown, arguments or "")
    out[#out + 1] = table.concat(about, "\n") .. "\n"
    if #params > 0 then out[#out + 1] = "Parameters:\n\n" .. table.concat(params, "\n") .. "\n" end
    if #returns > 0 then out[#out + 1] = "Returns:\n\n" .. table.concat(returns, "\n") .. "\n" end
end

local function render_class(out, lines)
    local name, fields, about = nil, {}, {}
    for _, line in ipairs(lines) do
        local tag, rest = line:match("^@(%w+)%s*(.*)$")
        if tag == "class" then
            name = rest:match("^(%S+)")
        elseif tag == "field" then
            local field, spec = rest:match("^(%S+)%s+(.*)$")
            local kind, text = split_type(spec or "any")
            fields[#fields + 1] = ("- `%s` (`%s`)%s"):format(field, kind, text ~= "" and ": " .. text or "")
        elseif not tag then
            about[#about + 1] = line
        end
    end
    if #fields == 0 and #about == 0 then return end
    out[#out + 1] = ("### `%s`\n"):format(name)
    if #about > 0 then out[#out + 1] = table.concat(about, "\n") .. "\n" end
    if #fields > 0 then out[#out + 1] = table.concat(fields, "\n") .. "\n" end
end

local function render_value(out, code, lines)
    local names = code:match("^%s*([%w_.,%s]-)%s*=%s*[^=]")
    if not names or not names:find("%.") then return end
    out[#out + 1] = ("### `%s`\n\n%s\n"):format(names, table.concat(lines, "\n"))
end

local function page(title, about, text)
    local head = "# %s\n\n%s.\n\n<!-- Generated by doc/generate.lua; edit the annotations instead. -->\n"
    local out = { head:format(title, about) }
    for _, block in ipairs(blocks_of(text)) do
        local is_class = false
        for _, line in ipairs(block.lines) do
            if line:match("^@class") then is_class = true end
        end
        local name, arguments = code_name(block.code)
        if is_class then
            render_class(out, block.lines)
        elseif name and not name:match("^_") then
            render_function(out, name, arguments, block.lines)
        else
            render_value(out, block.code, block.lines)
        end
    end
    return table.concat(out, "\n")
end

local check, stale = arg[1] == "--check", {}
local function write(path, text)
    if read(path) == text then return end
    if check then
        stale[#stale + 1] = path
        return
    end
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
end

if not check then os.execute("mkdir -p " .. OUT) end
local index = { "# Reference\n\n<!-- Generated by doc/generate.lua. -->\n" }
for _, entry in ipairs(PAGES) do
    local text = read(entry[2])
    if text then
        index[#index + 1] = ("- [%s](%s.md): %s"):format(entry[1], entry[1], entry[3]:sub(1, 1):lower() .. entry[3]:sub(2))
        write(OUT .. "/" .. entry[1] .. ".md", page(entry[1], entry[3], text))
    end
end
write(OUT .. "/README.md", table.concat(index, "\n") .. "\n")
if #stale > 0 then
    io.stderr:write("out of date: " .. table.concat(stale, ", ") .. "; run 'make docs'\n")
    os.exit(1)
end
