--- Registration, confirmation and password reset (protocol/5-app-services-http.md, 9).
local directory = require("syncline.services.directory")
local http = require("syncline.services.http")
local task = require("syncline.services.task")

local userpass = {}

local TICKET_LIFETIME = 30 * 60

-- With `discreet`, answers come only after whole steps of so many seconds, counted from the request: what had to
-- be done for an account, and took time, does not show.
local STEP = 0.5

local function settings(app)
    local config = app.providers["local-userpass"]
    if not config then
        http.refuse(404, "authentication via 'local-userpass' is unsupported", "AuthProviderNotFound")
    end
    return config
end

---Refuses the request if users of the app do not log in with email and password.
---@param app syncline.services.App
function userpass.require_provider(app)
    settings(app)
end

local function code_points(text)
    local _, continuation = text:gsub("[\128-\191]", "")
    return #text - continuation
end

local function check_password(app, password)
    local shortest = settings(app).min_password or 6
    local size = code_points(password)
    if size < shortest or size > 128 then
        http.refuse(400, ("password must be between %d and 128 characters"):format(shortest), "BadRequest")
    end
end

local function check_email(email)
    if #email > 320 or not email:match("^[^%s@]+@[^%s@]+$") then
        http.refuse(400, "email invalid", "BadRequest")
    end
end

---A link by which the owner of an address confirms it or sets a password. Older ones are void from now on.
---@param app syncline.services.App
---@param purpose string "confirm" or "reset"
---@param email string
---@return table mail `app`, `purpose`, `to`, `token`, `token_id`, `link`, `expires` (Unix seconds)
function userpass.ticket(app, purpose, email)
    local config = settings(app)
    local lifetime = config.ticket_lifetime or TICKET_LIFETIME
    local token, id = app.directory:create_ticket(purpose, email, lifetime)
    local base = config[purpose .. "_url"] or ("%s/app/%s/%s"):format(app.base_url, app.id, purpose)
    return {
        app = app.id,
        purpose = purpose,
        to = email,
        token = token,
        token_id = id,
        link = ("%s?token=%s&tokenId=%s"):format(base, token, id),
        expires = app.clock() + lifetime,
    }
end

local function mail_ticket(app, purpose, email)
    local ok, reason = pcall(app.mail, userpass.ticket(app, purpose, email))
    if not ok then
        app.log("error", "the mail hook failed", { app = app.id, purpose = purpose, reason = tostring(reason) })
    end
    return ok
end

-- Hands the one-time token to the operator's hook, which sends the mail. With `discreet`, nobody waits for it.
local function send(app, purpose, email)
    if settings(app).discreet and app.later then
        app.later(0, function()
            local ok, reason = pcall(mail_ticket, app, purpose, email)
            if not ok then
                app.log("error", "a mail could not be prepared", { app = app.id, reason = tostring(reason) })
            end
        end)
    elseif not mail_ticket(app, purpose, email) and not settings(app).discreet then
        http.refuse(500, "the mail could not be sent", "InternalServerError")
    end
end

-- Whoever asks, and whether there is an account or not: an address gets only so many mails.
local function limit_mail(app, email)
    app:limit("mail", directory.fold(email):sub(1, 320))
end

-- With `discreet`, answers do not tell whether an address has an account.
local function quiet(app, status, message, code)
    if not settings(app).discreet then
        http.refuse(status, message, code)
    end
end

-- Runs a function of the operator: "success", "pending" or anything else for "fail". `known`: false if there is
-- nothing that the answer could change; with `discreet` it is asked all the same, because its answer is ours.
local function ask(app, name, facts)
    local ok, verdict = pcall(settings(app)[name] or function() end, facts)
    if not ok then
        app.log("error", "a function failed", { app = app.id, name = name, reason = tostring(verdict) })
    end
    return ok and verdict or "fail"
end

local function confirmed_by_function(app, email, known)
    local verdict = ask(app, "confirm_function", { app = app.id, email = email, known = known })
    if verdict == "success" and known then
        app.directory:update_password(email, { confirmed = true })
    end
    return verdict == "success" or verdict == "pending"
end

local actions = {}

local function refuse_confirmation(email)
    http.refuse(400, ('failed to confirm user "%s"'):format(email), "BadRequest")
end

function actions.register(app, body, place)
    local email, password = http.member(body, "email"), http.member(body, "password")
    check_email(email)
    check_password(app, password)
    local mode = settings(app).confirm or "auto"
    if mode == "email" then
        limit_mail(app, email)
    end
    local made = app.directory:register(email, app.passwords:hash(password, place), mode == "auto")
    if not made then
        quiet(app, 409, "name already in use", "AccountNameInUse")
    end
    if mode == "function" and not confirmed_by_function(app, email, made) then
        if made then
            app.directory:unregister(email)
        end
        refuse_confirmation(email)
    elseif mode == "email" and made then
        send(app, "confirm", email)
    end
    return http.json(201, {})
end

-- The ticket of a body: what take_ticket and ticket_email want.
local function read_ticket(body)
    local token, id = http.member(body, "token"), http.member(body, "tokenId")
    if not token:match("^%x+$") or not id:match("^%x+$") or #id ~= 24 then
        http.refuse(400, "invalid token data", "BadRequest")
    end
    return token, id
end

local function account_of(app, email)
    local account = email and app.directory:password(email)
    if not account then
        http.refuse(400, "userpass token is expired or invalid", "UserpassTokenInvalid")
    end
    return account
end

function actions.confirm(app, body)
    local account = account_of(app, app.directory:take_ticket("confirm", read_ticket(body)))
    app.directory:update_password(account.email, { confirmed = true })
    return http.json(200, {})
end

-- The account of an address that waits for its confirmation; nil with `discreet` if there is none.
local function unconfirmed(app, email)
    local account = app.directory:password(email)
    if not account then
        return quiet(app, 404, "user not found", "UserNotFound")
    elseif account.confirmed then
        return quiet(app, 400, "already confirmed", "UserAlreadyConfirmed")
    end
    return account
end

actions["confirm/send"] = function(app, body)
    local email = http.member(body, "email")
    limit_mail(app, email)
    local account = unconfirmed(app, email)
    if account then
        send(app, "confirm", account.email)
    end
    return http.json(200, {})
end

actions["confirm/call"] = function(app, body)
    local email = http.member(body, "email")
    local account = unconfirmed(app, email)
    if settings(app).confirm ~= "function" then
        http.refuse(400, ("cannot run confirmation for %s: automatic confirmation is enabled"):format(email))
    end
    if not confirmed_by_function(app, email, account ~= nil) then
        refuse_confirmation(email)
    end
    return http.json(200, {})
end

-- All sessions of the user end: whoever knew the old password is out.
local function set_password(app, email, hash)
    local account = app.directory:password(email)
    if not account then
        return -- it was deleted meanwhile
    end
    app.directory:update_password(email, { hash = hash, confirmed = true })
    if account.user then
        app:revoke(account.user)
    end
end

function actions.reset(app, body, place)
    local password = http.member(body, "password")
    check_password(app, password)
    local token, id = read_ticket(body)
    -- Nobody has hashes computed without a ticket, and the ticket is used up only when there is one.
    account_of(app, app.directory:ticket_email("reset", token, id))
    local hash = app.passwords:hash(password, place)
    local account = account_of(app, app.directory:take_ticket("reset", token, id))
    set_password(app, account.email, hash)
    return http.json(200, {})
end

actions["reset/send"] = function(app, body)
    local email = http.member(body, "email")
    limit_mail(app, email)
    local account = app.directory:password(email)
    if account then
        send(app, "reset", account.email)
    else
        quiet(app, 404, "user not found", "UserNotFound")
    end
    return http.json(200, {})
end

actions["reset/call"] = function(app, body, place)
    local email, password = http.member(body, "email"), http.member(body, "password")
    check_password(app, password)
    local account = app.directory:password(email)
    if not account then
        quiet(app, 404, "user not found", "UserNotFound")
    end
    local verdict = ask(app, "reset_function", {
        app = app.id, email = email, arguments = body.arguments, known = account ~= nil,
    })
    if verdict == "pending" then
        return http.json(200, {})
    elseif verdict ~= "success" then
        http.refuse(400, ('failed to reset password for user "%s"'):format(email), "BadRequest")
    end
    local hash = app.passwords:hash(password, place) -- also for nobody: it takes its time
    if account then
        set_password(app, account.email, hash)
    end
    return http.json(200, {})
end

---Whether there is such a call.
---@param action string
---@return boolean
function userpass.has(action)
    return actions[action] ~= nil
end

---Answers a call below .../auth/providers/local-userpass/.
---@param app syncline.services.App
---@param action string
---@param body table
---@param place string where it comes from, as addresses.place says
---@return syncline.services.Response
function userpass.handle(app, action, body, place)
    if not settings(app).discreet then
        return actions[action](app, body, place)
    end
    local begun = app.tick()
    local ok, answer = task.wait(function(resume)
        task.run(resume, actions[action], app, body, place)
    end)
    local spent = app.tick() - begun
    app:pause((math.floor(spent / STEP) + 1) * STEP - spent)
    return ok and answer or error(answer, 0)
end

return userpass
