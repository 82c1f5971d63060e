-- syncline compact: takes out of the histories of a server what later changes have made void.

local common = require("syncline.cli.common")
local operator = require("syncline.cli.operator")

local function percent(realm)
    if not realm.bytes_before or realm.bytes_before == 0 then return "nothing to do" end
    return ("%d -> %d bytes"):format(realm.bytes_before, realm.bytes_after)
end

local function show(list)
    for _, realm in ipairs(list) do
        print(("%s %s"):format(realm.app, realm.partition))
        if realm.error then
            print(("  %s"):format(realm.error))
        else
            print(("  up to version %d: %d entries looked at, %d emptied, %s"):format(realm.limit, realm.entries, realm.emptied,
                percent(realm)))
            if realm.expired > 0 then print(("  %d clients expired"):format(realm.expired)) end
            if realm.holder > 0 then
                print(("  client %d needs what follows; it was here last on %s"):format(realm.holder,
                    os.date("!%Y-%m-%d", realm.holder_seen)))
            end
        end
    end
end

return {
    name = "compact",
    usage = "compact [OPTIONS]",
    about = "Takes out of the histories of a server what later changes have made void, as far as no client needs it.",
    options = operator.options({
        { name = "app", value = "ID", help = "realms of this app only" },
        { name = "client-ttl", value = "TIME", help = "expire clients that stayed away for longer, like 90d" },
    }),
    more = "A client that has expired downloads a fresh copy when it comes back, and carries over what it has not sent if it is\n"
        .. "set up to recover. A running server compacts in the background, between everything else.",
    run = function(given)
        if given[1] then common.misuse("'%s': compact takes options only", given[1]) end
        return operator.with(given, function(target)
            local list = operator.must(target:compact({ app = given.app, client_ttl = given.client_ttl }))
            operator.print(given, list, show)
            for _, realm in ipairs(list) do
                if realm.error then return 1 end
            end
        end)
    end,
}
