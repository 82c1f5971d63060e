-- Checks that every room of csrc/ includes rooms on lower floors only (doc/architecture.md).
local FLOORS = {
    base = 1, value = 2, protocol = 2, net = 2, auth = 2, changeset = 3, transform = 4, realm = 4, query = 5, store = 6,
    history = 7, session = 8, sim = 9, lua = 10,
}

local wrong, seen = 0, 0
local files = assert(io.popen("ls csrc/*/*.[ch]"))
for path in files:lines() do
    local room = path:match("^csrc/([^/]+)/")
    local number = 0
    for line in io.lines(path) do
        number = number + 1
        local other = line:match('^#include "([%w_]+)/')
        if other then
            seen = seen + 1
            if not FLOORS[room] or not FLOORS[other] or (room ~= other and FLOORS[other] >= FLOORS[room]) then
                print(("%s:%d: %s may not include %s"):format(path, number, room, other))
                wrong = wrong + 1
            end
        end
    end
end
files:close()
if seen == 0 then wrong = 1 end
os.exit(wrong == 0 and 0 or 1)
