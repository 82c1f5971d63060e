--- Registration, confirmation and password reset (protocol/5-app-services-http.md, 9).
local auth = require("syncline.auth")
local http = require("syncline.services.http")

local userpass = {}

local TICKET_LIFETIME = 30 * 60

local function settings(app)
    local config = app.providers["local-userpass"]
    if not config then
        http.refuse(404, "authentication via 'local-userpass' is unsupported", "AuthProviderNotFound")
    end
    return config
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

-- Hands the one-time token to the operator's hook, which sends the mail.
local function send(app, purpose, email)
    local config = settings(app)
    local token, id = app.directory:create_ticket(purpose, email, config.ticket_lifetime or TICKET_LIFETIME)
    local base = config[purpose .. "_url"] or (app.base_url .. "/" .. purpose)
    local ok, reason = pcall(app.mail, {
        app = app.id,
        purpose = purpose,
        to = email,
        token = token,
        token_id = id,
        link = ("%s?token=%s&tokenId=%s"):format(base, token, id),
    })
    if not ok then
        app.log("error", "the mail hook failed", { app = app.id, purpose = purpose, reason = tostring(reason) })
        http.refuse(500, "the mail could not be sent", "InternalServerError")
    end
end

-- With `discreet`, answers do not tell whether an address has an account.
local function quiet(app, status, message, code)
    if not settings(app).discreet then
        http.refuse(status, message, code)
    end
end

-- Runs the confirmation function: "success", "pending" or anything else for "fail".
local function ask_confirmation(app, email)
    local ok, verdict = pcall(settings(app).confirm_function, { email = email, app = app.id })
    return ok and verdict or "fail"
end

function userpass.register(app, body)
    local config = settings(app)
    local email, password = http.member(body, "email"), http.member(body, "password")
    check_email(email)
    check_password(app, password)
    local mode = config.confirm or "auto"
    if not app.directory:register(email, auth.hash_password(password, app.scrypt), mode == "auto") then
        quiet(app, 409, "name already in use", "AccountNameInUse")
        return http.json(201, {})
    end
    if mode == "function" then
        local verdict = ask_confirmation(app, email)
        if verdict == "success" then
            app.directory:update_password(email, { confirmed = true })
        elseif verdict ~= "pending" then
            app.directory:unregister(email)
            http.refuse(400, ('failed to confirm user "%s"'):format(email), "BadRequest")
        end
    elseif mode == "email" then
        send(app, "confirm", email)
    end
    return http.json(201, {})
end

local function take(app, purpose, body)
    local token, id = http.member(body, "token"), http.member(body, "tokenId")
    if not token:match("^%x+$") or not id:match("^%x+$") or #id ~= 24 then
        http.refuse(400, "invalid token data", "BadRequest")
    end
    local email = app.directory:take_ticket(purpose, token, id)
    local account = email and app.directory:password(email)
    if not account then
        http.refuse(400, "userpass token is expired or invalid", "UserpassTokenInvalid")
    end
    return account
end

function userpass.confirm(app, body)
    local account = take(app, "confirm", body)
    app.directory:update_password(account.email, { confirmed = true })
    return http.json(200, {})
end

userpass["confirm/send"] = function(app, body)
    local account = app.directory:password(http.member(body, "email"))
    if not account then
        quiet(app, 404, "user not found", "UserNotFound")
    elseif account.confirmed then
        quiet(app, 400, "already confirmed", "UserAlreadyConfirmed")
    else
        send(app, "confirm", account.email)
    end
    return http.json(200, {})
end

userpass["confirm/call"] = function(app, body)
    local email = http.member(body, "email")
    local account = app.directory:password(email)
    if not account then
        quiet(app, 404, "user not found", "UserNotFound")
        return http.json(200, {})
    end
    if account.confirmed then
        quiet(app, 400, "already confirmed", "UserAlreadyConfirmed")
        return http.json(200, {})
    end
    if settings(app).confirm ~= "function" then
        http.refuse(400, ("cannot run confirmation for %s: automatic confirmation is enabled"):format(email))
    end
    local verdict = ask_confirmation(app, email)
    if verdict == "success" then
        app.directory:update_password(email, { confirmed = true })
    elseif verdict ~= "pending" then
        http.refuse(400, ('failed to confirm user "%s"'):format(email), "BadRequest")
    end
    return http.json(200, {})
end

local function set_password(app, account, password)
    app.directory:update_password(account.email, {
        hash = auth.hash_password(password, app.scrypt),
        confirmed = true,
    })
    if account.user then
        app:revoke(account.user)
    end
end

function userpass.reset(app, body)
    local password = http.member(body, "password")
    check_password(app, password)
    set_password(app, take(app, "reset", body), password)
    return http.json(200, {})
end

userpass["reset/send"] = function(app, body)
    local account = app.directory:password(http.member(body, "email"))
    if account then
        send(app, "reset", account.email)
    else
        quiet(app, 404, "user not found", "UserNotFound")
    end
    return http.json(200, {})
end

userpass["reset/call"] = function(app, body)
    local email, password = http.member(body, "email"), http.member(body, "password")
    check_password(app, password)
    local account, hook = app.directory:password(email), settings(app).reset_function
    if not account then
        quiet(app, 404, "user not found", "UserNotFound")
        return http.json(200, {})
    end
    local ok, verdict = pcall(hook or function() end, {
        app = app.id,
        email = email,
        arguments = body.arguments,
    })
    if not ok or verdict ~= "success" then
        if ok and verdict == "pending" then
            return http.json(200, {})
        end
        http.refuse(400, ('failed to reset password for user "%s"'):format(email), "BadRequest")
    end
    set_password(app, account, password)
    return http.json(200, {})
end

return userpass
