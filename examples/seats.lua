-- Books seats in a hall so that no seat is ever sold twice, however many people book at the same moment.
--
--   lua5.4 examples/seats.lua                  shows the hall
--   lua5.4 examples/seats.lua book Ada 3       books three seats next to each other for Ada, or none
--   lua5.4 examples/seats.lua cancel Ada
--
-- SYNCLINE_URL=https://localhost:9090 (and SYNCLINE_CA=cert.pem for a certificate that the system does not
-- know) says where the server is: a booking needs it, because the server is the one who decides.

local syncline = require("syncline")

local ROW = 10
local folder = os.getenv("SYNCLINE_EXAMPLE") or "."
local server = os.getenv("SYNCLINE_URL")

local function user()
    local app = assert(syncline.app({
        id = os.getenv("SYNCLINE_APP") or "tasks", base_url = server, path = folder .. "/seats-users.json",
        tls = { ca = os.getenv("SYNCLINE_CA") },
    }))
    return app:current_user() or assert(app:log_in({ provider = "anonymous" }))
end

local realm = assert(syncline.open({
    path = folder .. "/seats.realm",
    schema = { { name = "Seat", primary_key = "number", properties = { number = "int", guest = "string" } } },
    sync = server and { user = user(), partition = "hall" } or nil,
}))

if server then realm:sync_session():wait_for_download(5) end

local function taken_by(number)
    local seat = realm:object("Seat", number)
    return seat and seat.guest
end

-- The first of `count` free seats in a row.
local function find_place(count)
    local free = 0
    for number = 1, ROW do
        free = taken_by(number) and 0 or free + 1
        if free == count then return number - count + 1 end
    end
    return nil
end

local function show()
    for number = 1, ROW do print(("%2d %s"):format(number, taken_by(number) or "-")) end
end

-- Two people may find the same place free. Both transactions have read that it is, so the server takes one of
-- them and answers "conflict" to the other, which looks again at a hall where the place is taken.
local function book(guest, count)
    local first
    local ok, message, code
    repeat
        ok, message, code = realm:transact(function()
            first = find_place(count)
            if not first then realm:cancel() end
            for number = first, first + count - 1 do realm:create("Seat", { number = number, guest = guest }) end
        end, { timeout = 30 })
    until ok or code ~= "conflict"
    if ok then return print(("%s has the seats %d to %d"):format(guest, first, first + count - 1)) end
    if code == "cancelled" then return print(("there are no %d free seats next to each other"):format(count)) end
    io.stderr:write("nobody knows whether the seats are booked; look later: ", message, "\n")
    os.exit(1)
end

-- Giving seats back can disturb nobody: an ordinary write, which also works without a network.
local function cancel(guest)
    assert(realm:write(function() realm:delete(realm:objects("Seat"):where("guest == $0", guest)) end))
end

local action, guest, count = arg[1], arg[2], tonumber(arg[3] or "1")
if action == "book" and guest and count and count >= 1 then
    book(guest, count)
elseif action == "cancel" and guest then
    cancel(guest)
    if server then realm:sync_session():wait_for_upload(5) end
elseif not action then
    show()
else
    io.stderr:write("usage: seats.lua [book GUEST [COUNT] | cancel GUEST]\n")
    os.exit(2)
end
realm:close()
