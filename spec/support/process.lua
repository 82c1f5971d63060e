-- Processes and temporary folders for specs; everything is gone after the spec.
local process = {}

local function quote(text)
    return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

process.quote = quote

---Runs a shell command: exit status, standard output, standard error.
function process.run(command, input)
    local out, err, inp = os.tmpname(), os.tmpname(), os.tmpname()
    local file = assert(io.open(inp, "wb"))
    file:write(input or "")
    file:close()
    local a, _, c = os.execute(("{ %s\n} <%s >%s 2>%s"):format(command, quote(inp), quote(out), quote(err)))
    local status = c or (type(a) == "number" and math.floor(a / 256) or (a and 0 or 1))
    local function take(path)
        local f = assert(io.open(path, "rb"))
        local text = f:read("*a")
        f:close()
        os.remove(path)
        return text
    end
    os.remove(inp)
    return status, take(out), take(err)
end

---`syncline ARGUMENTS` of this checkout.
function process.syncline(arguments, input)
    return process.run("bin/syncline " .. arguments, input)
end

---A path at which nothing is yet.
function process.path()
    local name = os.tmpname()
    os.remove(name)
    return name
end

---A new empty folder; remove it with remove_folder.
function process.folder()
    local name = process.path()
    assert(process.run("mkdir " .. quote(name)) == 0)
    return name
end

function process.remove_folder(path)
    assert(path:match("^/tmp/") or path:match("^" .. (os.getenv("TMPDIR") or "/tmp")))
    process.run("rm -rf " .. quote(path))
end

function process.write_file(path, text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
end

function process.read_file(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end

return process
