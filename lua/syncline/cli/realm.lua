-- syncline realm: the realms of a server, one per partition.

local common = require("syncline.cli.common")
local operator = require("syncline.cli.operator")
local partitions = require("syncline.partition")

local actions = {}

function actions.list(given)
    operator.words(given, 0, "nothing more")
    return operator.with(given, function(target)
        operator.print(given, operator.must(target:realms({ app = given.app })), operator.show_realms)
    end)
end

function actions.erase(given)
    operator.words(given, 0, "nothing more")
    local app, partition = operator.need(given, "app"), operator.need(given, "partition")
    local read, _, meaning = partitions.read(partition)
    if not read then common.misuse("--%s", _) end
    if not given.yes then
        common.misuse("this would erase the realm of %s in app '%s' for good; nothing was erased; say it with --yes", meaning, app)
    end
    return operator.with(given, function(target)
        operator.must(target:erase_realm(app, partition))
    end)
end

return {
    name = "realm",
    usage = "realm list [--app ID] | realm erase --app ID --partition EJSON --yes",
    about = "Lists the realms of a server with size, devices and users, and erases one for good.",
    options = operator.options({
        { name = "app", value = "ID", help = "id of the app" },
        { name = "partition", value = "EJSON", help = "erase: " .. partitions.HELP },
        { name = "yes", help = "erase: really" },
    }),
    more = "What is erased does not come back by itself: devices that had the realm are told to do a client reset, and start with an\n"
        .. "empty one. What they wrote and had not sent may be carried over by that. Backups are not touched.",
    run = function(given) return operator.dispatch("realm", actions, given) end,
}
