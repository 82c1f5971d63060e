-- The App Services client API without sockets, in virtual time: requests in, answers out.
local auth = require("syncline.auth")
local json = require("syncline.core").json
local limits = require("syncline.services.limits")
local process = require("support.process")
local services = require("syncline.services")

local rig = {}
rig.__index = rig

---Paths of the app and of what has no app in its path.
rig.A, rig.B = "/api/client/v2.0/app/app-x", "/api/client/v2.0"
rig.EMAIL = rig.A .. "/auth/providers/local-userpass/"

local CHEAP = { log_n = 10, r = 8, p = 1 }

---A keyring with one key.
function rig.keyring(options)
    local key = assert(auth.key(options))
    return { signing = key, accepted = { key } }
end

---A service that has not started. `now`: Unix seconds, `tick`: what the monotonic clock is ahead of them;
---`mails`, `logs`: what it sent and wrote; `timers`: what waits.
function rig.new()
    return setmetatable({
        folder = process.folder(), now = 1700000000, tick = 0, timers = {}, mails = {}, logs = {}, revoked = {},
        key = assert(auth.key({ alg = "HS256", kid = "k", secret = ("k"):rep(32) })),
    }, rig)
end

---Opens the app with a configuration; `limits` in it are those of the server.
function rig:start(config)
    config.scrypt = config.scrypt or CHEAP
    self.service = assert(services.open({
        apps = { ["app-x"] = config },
        directory = self.folder,
        keyring = { signing = self.key, accepted = { self.key } },
        base_url = "https://sync.example.net:9443/",
        clock = function() return self.now end,
        tick = function() return self.now + self.tick end,
        later = function(seconds, action)
            self.timers[#self.timers + 1] = { seconds = seconds, action = action }
        end,
        limits = limits.check(config.limits),
        hashing = self.hashing,
        log = function(level, message, facts)
            self.logs[#self.logs + 1] = level .. " " .. message .. " " .. (facts and json.encode(facts) or "")
        end,
        mail = not config.no_hook and function(mail) self.mails[#self.mails + 1] = mail end or nil,
        on_revoke = function(_, user, sessions) self.revoked[#self.revoked + 1] = { user = user, sessions = sessions } end,
    }))
    self.app = self.service.apps["app-x"]
end

function rig:stop()
    if self.service then self.service:close() end
    process.remove_folder(self.folder)
end

---Lets the time pass that the first of those who wait waits for.
function rig:pass()
    local due = assert(table.remove(self.timers, 1), "nobody waits")
    self.tick = self.tick + due.seconds
    due.action()
end

---A request; `done(answer)` gets the answer, with the decoded body in `value`.
function rig:ask(method, path, body, token, more, done)
    self.service:handle({
        method = method,
        path = path,
        query = more and more.query or {},
        headers = { authorization = token and "Bearer " .. token, origin = more and more.origin },
        body = type(body) == "table" and json.encode(body) or body or "",
        peer = more and more.peer or "192.0.2.1",
    }, function(answer)
        local ok, value = pcall(json.decode, answer.body)
        answer.value = ok and value or nil
        done(answer)
    end)
end

---A request and its answer, for which time passes if it has to.
function rig:call(method, path, body, token, more)
    local answer
    self:ask(method, path, body, token, more, function(given) answer = given end)
    while not answer do self:pass() end
    return answer
end

function rig:log_in(provider, credential, more)
    return self:call("POST", rig.A .. "/auth/providers/" .. provider .. "/login", credential or {}, nil, more)
end

return rig
