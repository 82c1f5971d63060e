-- Runs the parts of the test suite one after another, counts every result, and closes with
-- "N passed, N failed". Arguments: names of parts (default: all but those marked `only_asked`).
local build = os.getenv("BUILD") or "build"
local shared = os.getenv("SYNCLINE_SHARED") or "../shared"
local logs = build .. "/test"

local function quote(text)
    return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function lines_of(command)
    local pipe = assert(io.popen(command))
    local lines = {}
    for line in pipe:lines() do lines[#lines + 1] = line end
    pipe:close()
    return lines
end

local function exists(path)
    local file = io.open(path)
    if file then file:close() end
    return file ~= nil
end

local function read_file(path)
    local file = io.open(path)
    if not file then return nil end
    local text = file:read("a")
    file:close()
    return text
end

-- ---- how each kind of program reports its counts --------------------------------------------------

local function count_status(ok)
    return ok and 1 or 0, ok and 0 or 1
end

local function count_cmocka(ok, text)
    local passed, failed = 0, 0
    for n in text:gmatch("%[  PASSED  %] (%d+) test") do passed = passed + tonumber(n) end
    for n in text:gmatch("%[  FAILED  %] [%w_ ]*:? ?(%d+) test") do failed = failed + tonumber(n) end
    if not ok and failed == 0 then failed = 1 end
    if ok and passed == 0 then return count_status(ok) end
    return passed, failed
end

local function count_busted(ok, text)
    local good, bad, errors = text:match("(%d+) success%w* / (%d+) failure%w* / (%d+) error")
    if not good then return 0, 1 end
    local failed = tonumber(bad) + tonumber(errors)
    if not ok and failed == 0 then failed = 1 end
    return tonumber(good), failed
end

local function count_sum(ok, text)
    local passed, failed = 0, 0
    for line in text:gmatch("[^\n]+") do
        local p, f = line:match("(%d+) passed, (%d+) failed")
        if p then passed, failed = passed + tonumber(p), failed + tonumber(f) end
    end
    if not ok and failed == 0 then failed = 1 end
    return passed, failed
end

local function count_node(ok, text)
    local passed, failed = tonumber(text:match("# pass (%d+)")), tonumber(text:match("# fail (%d+)"))
    if not passed or not failed then return 0, 1 end
    failed = failed + tonumber(text:match("# cancelled (%d+)") or 0)
    if not ok and failed == 0 then failed = 1 end
    return passed, failed
end

-- ---- the parts ------------------------------------------------------------------------------------

local total_passed, total_failed, wanted = 0, 0, {}
for _, name in ipairs(arg) do wanted[name] = true end

-- Jobs run side by side, the long ones first; each writes its own log.
local WORKERS = tonumber(os.getenv("TEST_JOBS") or "2")
local queue, running = {}, {}

-- `weight`: roughly the seconds it takes, to begin with what takes longest.
local function report(name, command, count, seconds, weight)
    queue[#queue + 1] = { name = name, command = command, count = count, seconds = seconds or 600, weight = weight or 1,
        order = #queue }
end

local function start(job)
    job.log = logs .. "/" .. job.name:gsub("[^%w.-]", "_") .. ".log"
    job.status = job.log .. ".status"
    os.remove(job.status)
    job.began = os.time()
    local inner = ("timeout -k 10 %d sh -c %s >%s 2>&1 </dev/null; echo $? >%s.new; mv %s.new %s"):format(job.seconds,
        quote(job.command), quote(job.log), quote(job.status), quote(job.status), quote(job.status))
    os.execute("(" .. inner .. ") &")
    running[#running + 1] = job
end

local function finish(job, status)
    local text = read_file(job.log) or ""
    local passed, failed = job.count(status == 0, text)
    total_passed, total_failed = total_passed + passed, total_failed + failed
    print(("%-52s %6d passed, %d failed  (%d s)"):format(job.name, passed, failed, os.time() - job.began))
    if failed > 0 then
        local tail = {}
        for line in text:gmatch("[^\n]*") do tail[#tail + 1] = "    | " .. line end
        print(table.concat(tail, "\n", math.max(1, #tail - 60)))
        print(("    status %d, log: %s"):format(status, job.log))
    end
    io.flush()
end

-- Something that others need: done before anything else goes on.
local function run_now(job)
    start(job)
    local status
    repeat
        os.execute("sleep 0.05")
        status = read_file(job.status)
    until status and status:match("%d")
    running[#running] = nil
    finish(job, tonumber(status))
end

local function run_all()
    table.sort(queue, function(a, b)
        if a.weight ~= b.weight then return a.weight > b.weight end
        return a.order < b.order
    end)
    while #queue > 0 or #running > 0 do
        while #queue > 0 and #running < WORKERS do start(table.remove(queue, 1)) end
        for i = #running, 1, -1 do
            local status = read_file(running[i].status)
            if status and status:match("%d") then finish(table.remove(running, i), tonumber(status)) end
        end
        if #running > 0 then os.execute("sleep 0.05") end
    end
end

local parts = {}
local function part(name, action, only_asked)
    parts[#parts + 1] = { name = name, action = action, only_asked = only_asked }
end

part("lint", function()
    local c = "$(ls csrc/*/*.[ch] spec/*/*.[ch] fuzz/*.[ch] bench/*.[ch] bench/support/*.[ch] 2>/dev/null)"
    report("lint: luacheck", "luacheck -q lua bin/syncline spec examples bench doc rockspec/update.lua", count_status)
    report("lint: clang-format", "clang-format --dry-run -Werror " .. c, count_status)
    report("lint: cppcheck", "cppcheck -q -j2 --std=c11 --enable=warning,performance,portability --error-exitcode=1 "
        .. "--inline-suppr --suppressions-list=.cppcheck -Icsrc csrc/*/*.c", count_status, 600, 40)
    report("lint: rockspec lists every file", "lua5.4 rockspec/update.lua --check", count_status)
    report("lint: rooms include lower floors only", "lua5.4 spec/support/floors.lua", count_status)
end)

part("unit", function()
    for _, program in ipairs(lines_of("find " .. build .. "/unit -type f -perm -u+x | sort")) do
        report("unit: " .. program:sub(#build + 7), program, count_cmocka)
    end
end)

part("vectors", function()
    for _, program in ipairs(lines_of("find " .. build .. "/vectors -type f -perm -u+x | sort")) do
        report("vectors: " .. program:match("[^/]+$"), program .. " " .. shared .. "/vectors", count_sum)
    end
end)

part("sim", function()
    local program = build .. "/simulator/run_sim"
    if not exists(program) then return end
    report("sim: 1,000 seeds", program .. " --seeds 1000", count_sum, 600, 40)
    report("sim: safeties switched off are found", program .. " --mutations", count_sum, 600, 40)
end)

local function busted(lua, files)
    return ("LUA_PATH='lua/?.lua;lua/?/init.lua;spec/?.lua;;' LUA_CPATH='%s/%s/?.so;;' SYNCLINE_BUILD=%s SYNCLINE_LUA=%s "
        .. "SYNCLINE_SHARED=%s %s /usr/bin/busted --ignore-lua %s"):format(build, lua, build, lua, shared, lua, files)
end

part("specs", function()
    for _, file in ipairs(lines_of("find spec -name '*_spec.lua' | sort")) do
        report("spec: " .. file, busted("lua5.4", file), count_busted, 600,
            file:match("rock") and 60 or file:match("net") and 30 or 10)
    end
end)

part("luas", function()
    for _, lua in ipairs({ "lua5.3", "lua5.1", "luajit" }) do
        report("specs of the binding: " .. lua, busted(lua, "spec/lua"), count_busted)
    end
end)

part("docs", function()
    if exists("doc/generate.lua") then
        report("docs: reference is fresh", "lua5.4 doc/generate.lua --check", count_status)
    end
end)

local function node(title, file, seconds)
    local command = ("SYNCLINE_BUILD=%s REALM_DIST=build/interop node --test --test-reporter=tap %s"):format(build, file)
    report(title, command, count_node, seconds, 120)
end

-- The published Realm JS against our server; chromium only where it is installed or can be.
part("interop", function()
    run_now({ name = "interop: npm packages", command = "sh spec/interop/setup.sh build/interop", count = count_status,
        seconds = 300 })
    for _, file in ipairs(lines_of("ls spec/interop/*_test.mjs")) do
        if not file:match("browser") or os.execute("command -v chromium >/dev/null") then node("interop: " .. file, file, 420) end
    end
end)

part("system", function()
    for _, file in ipairs(lines_of("ls spec/system/*_test.mjs 2>/dev/null")) do node("system: " .. file, file, 420) end
end)

part("examples", function()
    for _, file in ipairs(lines_of("ls examples/*.lua")) do
        local folder = logs .. "/" .. file:match("([^/]+)%.lua$")
        local command = ("rm -rf %s && mkdir -p %s && LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s/lua5.4/?.so;;' "
            .. "SYNCLINE_BUILD=%s SYNCLINE_EXAMPLE=%s lua5.4 %s"):format(folder, folder, build, build, folder, file)
        if file:match("demo") then command = command .. " " .. folder .. " && " .. command .. " " .. folder end
        report("example: " .. file, command, count_status, 180, 10)
    end
end)

part("asan", function()
    report("asan: C tests and vectors", "make --no-print-directory -s test-asan", function(ok, text)
        local passed, failed = text:match("(%d+) passed, (%d+) failed%s*$")
        if not passed then return 0, 1 end
        return tonumber(passed), ok and tonumber(failed) or math.max(1, tonumber(failed))
    end, 1500, 600)
end)

assert(os.execute("mkdir -p " .. quote(logs)))
for _, p in ipairs(parts) do
    if wanted[p.name] or (not next(wanted) and not p.only_asked) then p.action() end
end
run_all()
print(("%d passed, %d failed"):format(total_passed, total_failed))
os.exit(total_failed == 0)
